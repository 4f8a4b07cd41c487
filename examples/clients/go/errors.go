package dagrpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "dagrpc.dev/go/dagrpc/v1"
)

var (
	// ErrCancelled is why a task has no result that was cancelled.
	ErrCancelled = errors.New("dagrpc: the task was cancelled")
	// ErrUnknown is why a task has no result that does not exist, or no longer.
	ErrUnknown = errors.New("dagrpc: there is no such task")
	// ErrNotEncodable is why a value is not sent: it is no JSON, such as NaN, and no bytes.
	ErrNotEncodable = errors.New("dagrpc: not encodable")
)

// TaskError tells why a task failed.
type TaskError struct {
	Key     string
	Failure *pb.Failure
}

func (e *TaskError) Error() string {
	return fmt.Sprintf("dagrpc: task %q failed: %s: %s", e.Key, e.Failure.TypeName, e.Failure.Message)
}

// Kind is the kind of the failure in short: APPLICATION, TIMEOUT, KILLED_WORKER, ...
func (e *TaskError) Kind() string {
	return strings.TrimPrefix(e.Failure.Kind.String(), "FAILURE_KIND_")
}

// FailureOf tells why a task has no result; nil if it has one, or may have one later.
func FailureOf(task *pb.TaskStatus) error {
	switch task.State {
	case pb.LeasedState_LEASED_STATE_FAILED:
		return &TaskError{task.Key, task.Failure}
	case pb.LeasedState_LEASED_STATE_CANCELLED:
		return fmt.Errorf("%w: %q: %s", ErrCancelled, task.Key, task.Reason)
	case pb.LeasedState_LEASED_STATE_UNKNOWN:
		return fmt.Errorf("%w: %q", ErrUnknown, task.Key)
	}
	if task.ValueOutcome == pb.DataOutcome_DATA_OUTCOME_NOT_ENCODABLE {
		return fmt.Errorf("%w: the result of %q: %s", ErrNotEncodable, task.Key, task.Reason)
	}
	return nil
}

// RequestError tells why the cluster did not do what a call asked for.
type RequestError struct {
	Code codes.Code
	// Reason is a name of errors.proto such as UNKNOWN_SESSION; empty if gRPC itself failed.
	Reason  string
	Message string
	// RetryAfter is how long the scheduler asks callers to wait; 0: it does not say.
	RetryAfter time.Duration
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("dagrpc: %s %s: %s", e.Code, e.Reason, e.Message)
}

// Is makes errors.Is find the errors of contexts.
func (e *RequestError) Is(target error) bool {
	return target == context.DeadlineExceeded && e.Code == codes.DeadlineExceeded ||
		target == context.Canceled && e.Code == codes.Canceled
}

// mayHelp tells whether the same call may succeed later.
func (e *RequestError) mayHelp() bool {
	switch e.Code {
	case codes.Unavailable:
		return true
	case codes.ResourceExhausted:
		return e.RetryAfter > 0
	}
	return false
}

func requestError(err error) *RequestError {
	answer := status.Convert(err)
	if errors.Is(err, context.DeadlineExceeded) {
		answer = status.New(codes.DeadlineExceeded, err.Error())
	}
	found := &RequestError{Code: answer.Code(), Message: answer.Message()}
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.Domain == "dagrpc" {
				found.Reason = detail.Reason
			}
		case *errdetails.RetryInfo:
			found.RetryAfter = detail.RetryDelay.AsDuration()
		}
	}
	return found
}
