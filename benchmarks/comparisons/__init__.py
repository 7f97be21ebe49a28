"""One file per comparison. To add one, add a file here; the command line finds it by its name.

A comparison defines ``TITLE``; ``check(settings)``, which raises BadRequest for settings that it cannot meet, before
anything runs; ``run(settings)``, which returns plain data for the JSON file; ``lines(result)``, which makes a table of it
for people; and ``missed(result)``: one sentence for each target that was missed.
"""
