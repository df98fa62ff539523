// Merges into a task's attributes, with If-Match and up to five retries.
const { functionValidator } = require('twilio-flex-token-validator');
const twilio = require('twilio');
const { answer, missing } = require('../respond.cjs');

let client; // made once: the local server makes its own for each request

exports.handler = functionValidator(async function updateTask(context, event, callback) {
  const absent = missing(event, ['taskSid', 'attributesUpdate']);
  if (absent.length > 0) {
    return callback(null, answer(400, { success: false, message: `Missing ${absent.join(', ')}` }));
  }
  const update = JSON.parse(event.attributesUpdate);
  client ??= twilio(context.ACCOUNT_SID, context.AUTH_TOKEN);
  const task = client.taskrouter.v1.workspaces(context.TWILIO_FLEX_WORKSPACE_SID).tasks(event.taskSid);
  for (let attempt = 0; ; attempt++) {
    try {
      const { body, headers } = await task.fetchWithHttpInfo();
      await task.update({
        ifMatch: headers.etag,
        attributes: JSON.stringify({ ...JSON.parse(body.attributes), ...update }),
      });
      return callback(null, answer(200, { success: true }));
    } catch (e) {
      if (attempt === 5 || ![412, 429, 503].includes(e.status)) {
        return callback(null, answer(e.status ?? 500, { success: false, message: e.message }));
      }
    }
  }
});
