// Original file: ../../../protos/dagrpc/v1/task_service.proto


export interface Function {
  'name'?: (string);
  'doc'?: (string);
  'parametersSchema'?: (string);
  'workers'?: (number);
}

export interface Function__Output {
  'name': (string);
  'doc': (string);
  'parametersSchema': (string);
  'workers': (number);
}
