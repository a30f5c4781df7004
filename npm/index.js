/** All that is for others to use. */

export { Call } from './call.js';
export { Client, SignalingError } from './client.js';
export { FileTransfer } from './file-transfer.js';
export { Line } from './line.js';
export { Room } from './room.js';
