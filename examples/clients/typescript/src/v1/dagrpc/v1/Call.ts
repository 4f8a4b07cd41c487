// Original file: ../../../protos/dagrpc/v1/graph.proto

import type { Argument as _dagrpc_v1_Argument, Argument__Output as _dagrpc_v1_Argument__Output } from '../../dagrpc/v1/Argument';

export interface Call {
  'entrypoint'?: (string);
  'arguments'?: (_dagrpc_v1_Argument)[];
  'keywordArguments'?: ({[key: string]: _dagrpc_v1_Argument});
}

export interface Call__Output {
  'entrypoint': (string);
  'arguments': (_dagrpc_v1_Argument__Output)[];
  'keywordArguments': ({[key: string]: _dagrpc_v1_Argument__Output});
}
