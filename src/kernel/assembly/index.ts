/** What the module exports. It imports one memory, owns no data and allocates nothing. */
export { nearestCell, searchCells, sumBlock } from './cells';
export { scanList, scanRun } from './codes';
export { encodeEntry, makeTable, moveEntry } from './entries';
export { dot, squaredL2 } from './floats';
export { addScaled, project } from './means';
export { rotate } from './rotation';
