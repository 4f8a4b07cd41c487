// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Function as _dagrpc_v1_Function, Function__Output as _dagrpc_v1_Function__Output } from '../../dagrpc/v1/Function';

export interface ListFunctionsResponse {
  'functions'?: (_dagrpc_v1_Function)[];
  'nextPageToken'?: (string);
  'patterns'?: (string)[];
}

export interface ListFunctionsResponse__Output {
  'functions': (_dagrpc_v1_Function__Output)[];
  'nextPageToken': (string);
  'patterns': (string)[];
}
