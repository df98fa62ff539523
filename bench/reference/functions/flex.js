// The same for a Flex plugin: the validator asks Twilio about each token.
const { functionValidator } = require('twilio-flex-token-validator');
const echo = require('./echo.js');

exports.handler = functionValidator(echo.handler);
