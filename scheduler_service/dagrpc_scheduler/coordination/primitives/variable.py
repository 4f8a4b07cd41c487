"""Variables: named values that any client may set and read."""

from __future__ import annotations

from collections import OrderedDict

from dagrpc_scheduler.coordination.operations import DeleteVariable, GetVariable, SetVariable, Value
from dagrpc_scheduler.coordination.primitive import Primitive, handles
from dagrpc_scheduler.coordination.wait_queue import Line, Request, WaitQueue


class Variable:
    """One variable."""

    __slots__ = ("_all", "line", "name", "value")

    def __init__(self, all_variables: Variables, name: str) -> None:
        self._all = all_variables
        self.name = name
        self.value: Value | None = None
        """None while the variable is not set."""
        self.line: Line = OrderedDict()
        """Requests that wait for the variable to be set."""

    @property
    def holder(self) -> str:
        """The name under which the variable holds results."""
        return f"variable-{self.name}"

    def leave(self, request: Request) -> None:
        """Remove a waiting request."""
        del self.line[request]
        self._all.tidy(self)


class Variables(Primitive):
    """All variables. A variable that is not set and that nobody waits for takes no memory."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        super().__init__(wait_queue)
        self._by_name: dict[str, Variable] = {}

    @handles(SetVariable)
    def set(self, request: Request, operation: SetVariable) -> None:
        """Set a variable and answer the waiting requests."""
        variable = self._by_name.get(operation.name)
        if variable is None:
            variable = self._by_name[operation.name] = Variable(self, operation.name)
        former, value = variable.value, operation.value
        # The new value is held before the old one is released, because they may share keys.
        if value.keys:
            self._wait_queue.hold_keys(variable.holder, value.keys)
        variable.value = value
        self._release_keys(variable, former)
        self._wait_queue.answer(request)
        line, variable.line = variable.line, OrderedDict()
        for waiter in line:
            self._give(variable, waiter, value)

    @handles(GetVariable)
    def get(self, request: Request, operation: GetVariable) -> None:
        """Answer with the value, now or once there is one."""
        variable = self._by_name.get(operation.name)
        if variable is not None and variable.value is not None:
            self._give(variable, request, variable.value)
        elif self._wait_queue.may_wait(request):
            if variable is None:
                variable = self._by_name[operation.name] = Variable(self, operation.name)
            variable.line[request] = None
            self._wait_queue.wait(request, variable)

    @handles(DeleteVariable)
    def delete(self, request: Request, operation: DeleteVariable) -> None:
        """Delete the value; waiting requests go on waiting."""
        variable = self._by_name.get(operation.name)
        self._wait_queue.answer(request)
        if variable is not None:
            former, variable.value = variable.value, None
            self._release_keys(variable, former)
            self.tidy(variable)

    def _give(self, variable: Variable, request: Request, value: Value) -> None:
        if value.keys:
            # The value stays, so the results in the answer are held once more.
            self._wait_queue.hold_keys(variable.holder, value.keys)
            self._wait_queue.hold_until_acknowledged(request, variable.holder, (value,))
        self._wait_queue.answer(request, values=(value,))

    def _release_keys(self, variable: Variable, value: Value | None) -> None:
        if value is not None and value.keys:
            self._wait_queue.release_keys(variable.holder, value.keys)

    def tidy(self, variable: Variable) -> None:
        """Drop a variable that is not set and that nobody waits for."""
        if variable.value is None and not variable.line:
            self._by_name.pop(variable.name, None)
