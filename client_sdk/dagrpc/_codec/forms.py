"""The forms of run specs. A run spec is a byte that names its form, followed by a pickle.

``C``  a call: ``(args, kwargs)``; the function is the task's first shared value
``F``  a call with its function: ``(function, args, kwargs)``
``T``  a dask `Task`: ``(func, args, kwargs, dependencies)``
``N``  any other dask graph node: ``(node, dependencies)``
``t``, ``n``  the same, with persistent ids in the pickle; they name shared values

where ``dependencies`` are the task's dependencies under their original keys, in the order of `TaskSpec.dependencies`,
or None if both are equal. The pickles contain references to shared values and results; see `references`.
"""

CALL, CALL_WITH_FUNCTION, TASK, NODE = b"C", b"F", b"T", b"N"
REFERRING = {TASK: b"t", NODE: b"n"}
