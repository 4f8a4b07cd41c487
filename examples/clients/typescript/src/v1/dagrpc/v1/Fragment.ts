// Original file: ../../../protos/dagrpc/v1/common.proto


export interface Fragment {
  'data'?: (Buffer | Uint8Array | string);
  'last'?: (boolean);
}

export interface Fragment__Output {
  'data': (Buffer);
  'last': (boolean);
}
