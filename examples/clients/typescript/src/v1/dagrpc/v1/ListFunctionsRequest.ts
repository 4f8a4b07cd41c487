// Original file: ../../../protos/dagrpc/v1/task_service.proto


export interface ListFunctionsRequest {
  'prefix'?: (string);
  'pageSize'?: (number);
  'pageToken'?: (string);
}

export interface ListFunctionsRequest__Output {
  'prefix': (string);
  'pageSize': (number);
  'pageToken': (string);
}
