"""Step 3 and 4: reward model scores, code tests, maths checks, preference pairs."""

import os

# As in training: torch reads it when it makes its first tensor. Rows of some thousand tokens are large tensors, and
# with ordinary pages the kernel spends up to a third of the time on handing them out.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
