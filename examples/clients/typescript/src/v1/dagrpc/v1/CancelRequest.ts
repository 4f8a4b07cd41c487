// Original file: ../../../protos/dagrpc/v1/task_service.proto


export interface CancelRequest {
  'lease'?: (string);
  'keys'?: (string)[];
  'interrupt'?: (boolean);
  'reason'?: (string);
}

export interface CancelRequest__Output {
  'lease': (string);
  'keys': (string)[];
  'interrupt': (boolean);
  'reason': (string);
}
