exports.handler = (context, event, callback) => callback(null, { success: true });
