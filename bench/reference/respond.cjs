// What the functions share. Twilio is a global of the local server.
exports.answer = function answer(status, body) {
  const response = new global.Twilio.Response();
  response.setStatusCode(status);
  response.appendHeader('Access-Control-Allow-Origin', '*');
  response.appendHeader('Access-Control-Allow-Methods', 'GET, POST, OPTIONS');
  response.appendHeader('Access-Control-Allow-Headers', 'Content-Type');
  response.appendHeader('Content-Type', 'application/json');
  response.setBody(body);
  return response;
};

exports.missing = function missing(event, names) {
  return names.filter((name) => event[name] === undefined || event[name] === '');
};
