// Original file: ../../../protos/dagrpc/v1/graph.proto


export interface TaskOptions {
  'workers'?: (string)[];
  'allowOtherWorkers'?: (boolean);
  'resources'?: ({[key: string]: number | string});
  'retries'?: (number);
  'priority'?: (number | string);
  'actor'?: (boolean);
  'executor'?: (string);
  'annotations'?: (string);
  'timeoutSeconds'?: (number | string);
}

export interface TaskOptions__Output {
  'workers': (string)[];
  'allowOtherWorkers': (boolean);
  'resources': ({[key: string]: number});
  'retries': (number);
  'priority': (number);
  'actor': (boolean);
  'executor': (string);
  'annotations': (string);
  'timeoutSeconds': (number);
}
