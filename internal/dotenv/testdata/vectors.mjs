// Writes vectors.json with what npm's dotenv makes of each text:
//
//	npm install dotenv@16 && node vectors.mjs >vectors.json
import dotenv from 'dotenv';

const texts = [
  'A=b', 'A = b ', '  A=  b c  ', 'export A=b', 'export  A=b', 'exported=b', 'A=', 'A= ', 'A=\nB=c', '\n\n# comment\nA=b\n',
  'PASSWORD=pa$$word$1x', 'A=$B', 'A=${B}', 'A="$B"', "A='$B'", 'A=\\$B',
  '\ufeffA=b', '\ufeff# comment\nA=b', 'A=b\r\nC=d\r\n', 'A=b\rC=d',
  'A=b#c', 'A=b # c', 'A="b#c"', 'A="b" # c', "A='b'#c", 'A=#c', 'A="#"', 'A=`#` #',
  'A="b\\nc"', "A='b\\nc'", 'A=`b\\nc`', 'A=b\\nc', 'A="b\\rc"', 'A="b\\tc"', 'A="b\\\\nc"',
  'A="b\nc"\nD=e', "A='b\nc'\nD=e", 'A=`b\nc`', 'KEY="-----BEGIN-----\nabc\n-----END-----"',
  'A={"foo": "bar"}', 'A="{"foo": "bar"}"', 'A=\'it\'s\'', 'A="a\\"b"', "A='a\\'b'", 'A=`a\'b"c`', 'A="a"b', 'A="a" "b"', 'A=a"b"', 'A=a\'b',
  'A: b', 'A:b=c', 'a.b-c_d=e', 'A=b=c', 'A==b', 'A=b;c', 'A=1\nA=2', 'A=\tb\t', 'A=ü€😀', 'A= "b" ', 'A=""', "A=''", 'A="  b  "',
];
console.log(JSON.stringify(texts.map((text) => ({ text, vars: dotenv.parse(text) })), null, 1));
