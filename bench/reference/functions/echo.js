// Open to anyone: four parameters and a JSON answer with CORS headers.
const { answer, missing } = require('../respond.cjs');

exports.handler = function echo(context, event, callback) {
  const absent = missing(event, ['taskSid', 'hold', 'priority', 'note']);
  if (absent.length > 0) {
    return callback(null, answer(400, { success: false, message: `Missing ${absent.join(', ')}` }));
  }
  return callback(null, answer(200, {
    taskSid: event.taskSid, priority: Number(event.priority), held: event.hold === 'true', success: true,
  }));
};
