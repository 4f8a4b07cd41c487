// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CancelRequest as _dagrpc_v1_CancelRequest, CancelRequest__Output as _dagrpc_v1_CancelRequest__Output } from '../../dagrpc/v1/CancelRequest';
import type { CancelResponse as _dagrpc_v1_CancelResponse, CancelResponse__Output as _dagrpc_v1_CancelResponse__Output } from '../../dagrpc/v1/CancelResponse';
import type { ListFunctionsRequest as _dagrpc_v1_ListFunctionsRequest, ListFunctionsRequest__Output as _dagrpc_v1_ListFunctionsRequest__Output } from '../../dagrpc/v1/ListFunctionsRequest';
import type { ListFunctionsResponse as _dagrpc_v1_ListFunctionsResponse, ListFunctionsResponse__Output as _dagrpc_v1_ListFunctionsResponse__Output } from '../../dagrpc/v1/ListFunctionsResponse';
import type { RenewRequest as _dagrpc_v1_RenewRequest, RenewRequest__Output as _dagrpc_v1_RenewRequest__Output } from '../../dagrpc/v1/RenewRequest';
import type { RenewResponse as _dagrpc_v1_RenewResponse, RenewResponse__Output as _dagrpc_v1_RenewResponse__Output } from '../../dagrpc/v1/RenewResponse';
import type { ResultRequest as _dagrpc_v1_ResultRequest, ResultRequest__Output as _dagrpc_v1_ResultRequest__Output } from '../../dagrpc/v1/ResultRequest';
import type { ResultResponse as _dagrpc_v1_ResultResponse, ResultResponse__Output as _dagrpc_v1_ResultResponse__Output } from '../../dagrpc/v1/ResultResponse';
import type { SubmitRequest as _dagrpc_v1_SubmitRequest, SubmitRequest__Output as _dagrpc_v1_SubmitRequest__Output } from '../../dagrpc/v1/SubmitRequest';
import type { SubmitResponse as _dagrpc_v1_SubmitResponse, SubmitResponse__Output as _dagrpc_v1_SubmitResponse__Output } from '../../dagrpc/v1/SubmitResponse';
import type { WaitRequest as _dagrpc_v1_WaitRequest, WaitRequest__Output as _dagrpc_v1_WaitRequest__Output } from '../../dagrpc/v1/WaitRequest';
import type { WaitResponse as _dagrpc_v1_WaitResponse, WaitResponse__Output as _dagrpc_v1_WaitResponse__Output } from '../../dagrpc/v1/WaitResponse';
import type { WatchRequest as _dagrpc_v1_WatchRequest, WatchRequest__Output as _dagrpc_v1_WatchRequest__Output } from '../../dagrpc/v1/WatchRequest';
import type { WatchResponse as _dagrpc_v1_WatchResponse, WatchResponse__Output as _dagrpc_v1_WatchResponse__Output } from '../../dagrpc/v1/WatchResponse';

export interface TaskServiceClient extends grpc.Client {
  Cancel(argument: _dagrpc_v1_CancelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _dagrpc_v1_CancelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _dagrpc_v1_CancelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _dagrpc_v1_CancelRequest, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _dagrpc_v1_CancelRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _dagrpc_v1_CancelRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _dagrpc_v1_CancelRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  cancel(argument: _dagrpc_v1_CancelRequest, callback: grpc.requestCallback<_dagrpc_v1_CancelResponse__Output>): grpc.ClientUnaryCall;
  
  ListFunctions(argument: _dagrpc_v1_ListFunctionsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  ListFunctions(argument: _dagrpc_v1_ListFunctionsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  ListFunctions(argument: _dagrpc_v1_ListFunctionsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  ListFunctions(argument: _dagrpc_v1_ListFunctionsRequest, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  listFunctions(argument: _dagrpc_v1_ListFunctionsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  listFunctions(argument: _dagrpc_v1_ListFunctionsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  listFunctions(argument: _dagrpc_v1_ListFunctionsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  listFunctions(argument: _dagrpc_v1_ListFunctionsRequest, callback: grpc.requestCallback<_dagrpc_v1_ListFunctionsResponse__Output>): grpc.ClientUnaryCall;
  
  Renew(argument: _dagrpc_v1_RenewRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  Renew(argument: _dagrpc_v1_RenewRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  Renew(argument: _dagrpc_v1_RenewRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  Renew(argument: _dagrpc_v1_RenewRequest, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _dagrpc_v1_RenewRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _dagrpc_v1_RenewRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _dagrpc_v1_RenewRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  renew(argument: _dagrpc_v1_RenewRequest, callback: grpc.requestCallback<_dagrpc_v1_RenewResponse__Output>): grpc.ClientUnaryCall;
  
  Result(argument: _dagrpc_v1_ResultRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_ResultResponse__Output>;
  Result(argument: _dagrpc_v1_ResultRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_ResultResponse__Output>;
  result(argument: _dagrpc_v1_ResultRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_ResultResponse__Output>;
  result(argument: _dagrpc_v1_ResultRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_ResultResponse__Output>;
  
  Submit(argument: _dagrpc_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _dagrpc_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _dagrpc_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  Submit(argument: _dagrpc_v1_SubmitRequest, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _dagrpc_v1_SubmitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _dagrpc_v1_SubmitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _dagrpc_v1_SubmitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  submit(argument: _dagrpc_v1_SubmitRequest, callback: grpc.requestCallback<_dagrpc_v1_SubmitResponse__Output>): grpc.ClientUnaryCall;
  
  Wait(argument: _dagrpc_v1_WaitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  Wait(argument: _dagrpc_v1_WaitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  Wait(argument: _dagrpc_v1_WaitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  Wait(argument: _dagrpc_v1_WaitRequest, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  wait(argument: _dagrpc_v1_WaitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  wait(argument: _dagrpc_v1_WaitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  wait(argument: _dagrpc_v1_WaitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  wait(argument: _dagrpc_v1_WaitRequest, callback: grpc.requestCallback<_dagrpc_v1_WaitResponse__Output>): grpc.ClientUnaryCall;
  
  Watch(argument: _dagrpc_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_WatchResponse__Output>;
  Watch(argument: _dagrpc_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_WatchResponse__Output>;
  watch(argument: _dagrpc_v1_WatchRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_WatchResponse__Output>;
  watch(argument: _dagrpc_v1_WatchRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_dagrpc_v1_WatchResponse__Output>;
  
}

export interface TaskServiceHandlers extends grpc.UntypedServiceImplementation {
  Cancel: grpc.handleUnaryCall<_dagrpc_v1_CancelRequest__Output, _dagrpc_v1_CancelResponse>;
  
  ListFunctions: grpc.handleUnaryCall<_dagrpc_v1_ListFunctionsRequest__Output, _dagrpc_v1_ListFunctionsResponse>;
  
  Renew: grpc.handleUnaryCall<_dagrpc_v1_RenewRequest__Output, _dagrpc_v1_RenewResponse>;
  
  Result: grpc.handleServerStreamingCall<_dagrpc_v1_ResultRequest__Output, _dagrpc_v1_ResultResponse>;
  
  Submit: grpc.handleUnaryCall<_dagrpc_v1_SubmitRequest__Output, _dagrpc_v1_SubmitResponse>;
  
  Wait: grpc.handleUnaryCall<_dagrpc_v1_WaitRequest__Output, _dagrpc_v1_WaitResponse>;
  
  Watch: grpc.handleServerStreamingCall<_dagrpc_v1_WatchRequest__Output, _dagrpc_v1_WatchResponse>;
  
}

export interface TaskServiceDefinition extends grpc.ServiceDefinition {
  Cancel: MethodDefinition<_dagrpc_v1_CancelRequest, _dagrpc_v1_CancelResponse, _dagrpc_v1_CancelRequest__Output, _dagrpc_v1_CancelResponse__Output>
  ListFunctions: MethodDefinition<_dagrpc_v1_ListFunctionsRequest, _dagrpc_v1_ListFunctionsResponse, _dagrpc_v1_ListFunctionsRequest__Output, _dagrpc_v1_ListFunctionsResponse__Output>
  Renew: MethodDefinition<_dagrpc_v1_RenewRequest, _dagrpc_v1_RenewResponse, _dagrpc_v1_RenewRequest__Output, _dagrpc_v1_RenewResponse__Output>
  Result: MethodDefinition<_dagrpc_v1_ResultRequest, _dagrpc_v1_ResultResponse, _dagrpc_v1_ResultRequest__Output, _dagrpc_v1_ResultResponse__Output>
  Submit: MethodDefinition<_dagrpc_v1_SubmitRequest, _dagrpc_v1_SubmitResponse, _dagrpc_v1_SubmitRequest__Output, _dagrpc_v1_SubmitResponse__Output>
  Wait: MethodDefinition<_dagrpc_v1_WaitRequest, _dagrpc_v1_WaitResponse, _dagrpc_v1_WaitRequest__Output, _dagrpc_v1_WaitResponse__Output>
  Watch: MethodDefinition<_dagrpc_v1_WatchRequest, _dagrpc_v1_WatchResponse, _dagrpc_v1_WatchRequest__Output, _dagrpc_v1_WatchResponse__Output>
}
