"""Comparisons, one file each. The command line finds a new file by its name.

Each file defines:

- ``TITLE``;
- ``check(settings)``, which raises BadRequest for settings that it cannot meet, before anything runs;
- ``run(settings)``, which returns plain data for the JSON file;
- ``lines(result)``, the table for people;
- ``missed(result)``, a sentence for each target that was missed.
"""
