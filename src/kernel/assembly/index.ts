/** What the module exports. It imports one memory, owns no data and allocates nothing. */
export { searchCells } from './cells';
export { listNearest, nearestCells } from './centres';
export { scanList, scanRun } from './codes';
export { encodeEntry, makeTable, moveEntry } from './entries';
export { sumBlock } from './fastscan';
export { dot, squaredL2 } from './floats';
export { addScaled, meansOfHalves, project, projectBetween } from './means';
export { quantise } from './quantise';
export { rotate } from './rotation';
export { dotRows, squaredL2Rows } from './row-sums';
export { loadRows } from './rows';
export { dotRowsOfFour, squaredL2RowsOfFour } from './together';
