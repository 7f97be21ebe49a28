"""The backward functions of ``mytorch.nn.functional``, where the third homework of other generations looks for them."""

from mytorch.nn.functional import *  # noqa: F403
