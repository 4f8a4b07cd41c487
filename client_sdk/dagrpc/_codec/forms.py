"""The forms of run specs: the byte that each of them begins with. A pickle follows.

``C``  a call: ``(args, kwargs)``; the function is the task's first shared value
``F``  a call with its function: ``(function, args, kwargs)``
``T``  a dask `Task`: ``(func, args, kwargs, dependencies)``
``N``  any other dask graph node: ``(node, dependencies)``
``t``, ``n``  the same, with persistent ids in the pickle; they name shared values

where ``dependencies`` are the task's dependencies under their original keys, in the order of `TaskSpec.dependencies`,
or None if these are the same. References to shared values and to results stand inside the pickles; see `references`.
"""

CALL, CALL_WITH_FUNCTION, TASK, NODE = b"C", b"F", b"T", b"N"
REFERRING = {TASK: b"t", NODE: b"n"}
