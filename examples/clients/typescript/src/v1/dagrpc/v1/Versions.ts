// Original file: ../../../protos/dagrpc/v1/common.proto


export interface Versions {
  'dagrpc'?: (string);
  'python'?: (string);
  'dask'?: (string);
  'protocolMin'?: (number);
  'protocolMax'?: (number);
}

export interface Versions__Output {
  'dagrpc': (string);
  'python': (string);
  'dask': (string);
  'protocolMin': (number);
  'protocolMax': (number);
}
