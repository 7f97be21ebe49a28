"""Hints by key for checks that ended without a value: by an exception, or with the process."""

from __future__ import annotations

HINTS_OF_ERRORS: dict[str, str] = {
    "todo": "Fill in the part marked TODO.",
    "raised": "The code stopped with this error. Run it with --debug to stand at that line and look at the values.",
    "nothing_recorded": (
        "The backward pass finds nothing to begin with: this forward returned without recording its operation, or "
        "recorded another output than the one that it keeps."
    ),
    "arguments": (
        "A function was called with another number of arguments than it takes. A backward function is called as "
        "f(grad_output, *inputs): the star unpacks the inputs."
    ),
    "key": "The buffer was asked for an array that it doesn't know: most often a copy, or a lookup before add_spot.",
    "shapes_clash": (
        "Two shapes don't fit together. Write down the shapes at that line for a batch of 4 and non-square weights; "
        "one factor may need a transpose, or a batch is not thought of."
    ),
    "none_used": (
        "A None was used as an array or a list: a function without return, an empty slot (gradients_to_update may hold "
        "None), or append() or reverse() of a list, which change the list and return None."
    ),
    "condition": (
        "An array of several numbers was used as one condition. Compare objects with `is` (if g is None), and choose entry by "
        "entry with np.where or np.maximum."
    ),
    "one_number": (
        "A function that takes one number was given a whole array. NumPy has functions of the same names for arrays, such as "
        "np.exp for math.exp."
    ),
    "not_callable": (
        "Something that is no function was called. If it is backward_operation, a result was recorded in place of the "
        "function: give the function itself, without brackets behind its name."
    ),
    "breakpoint": "A debugger was started where nobody can answer it. Remove breakpoint() or pdb.set_trace().",
    "missing_name": "Keep the names of the handout; other code looks for them.",
    "cannot_import": (
        "Python could not load this file, so every exercise in it waits. What stands above says where and why."
    ),
    "exit": "Code that is graded must not end the program. Remove the call.",
    "not_installed": (
        "This module is not installed where your work is graded: only NumPy, Python's standard library and the files that "
        "you hand in are there. Remove the import. A file of your own belongs into mytorch/ (from mytorch.NAME import ...)."
    ),
    "memory": (
        "Memory ran out. Look for an array of a wrong shape (a broadcast that multiplies sizes) or an endless list."
    ),
    "recursion": "A function called itself without end. See which call at that line leads back to the same function.",
    "interrupt": "Code that is graded must not interrupt the program. Remove what raises KeyboardInterrupt.",
    "time": (
        "It ran longer than {limit:g} seconds, which looks like an endless loop. See whether each loop comes to an end."
    ),
    "died": (
        "The process ended in the middle of this check, without an exception: os._exit, a crash in C code, or a limit "
        "on memory or computing time that was used up."
    ),
    "malformed": (
        "What came back is not what the autograder's own code sends. Code that is graded must leave the autograder "
        "and its output channel alone."
    ),
    "budget": "The time for the whole submission was used up before this check. Look at the checks that took longest.",
}
