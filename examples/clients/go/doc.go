// Package dagrpc calls functions by name on a dagrpc cluster.
//
//	client, err := dagrpc.Connect("127.0.0.1:8786")
//	if err != nil { ... }
//	defer client.Close()
//
//	var length float64
//	err = client.Call(ctx, &length, "math:hypot", 3, 4)
//
// The deadline of a context bounds each call, retries included. A task that fails is reported as a *TaskError, a request
// that the cluster refuses as a *RequestError.
package dagrpc
