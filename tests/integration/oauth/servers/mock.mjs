// A server that takes every client and every user. Prints one line of JSON when it listens.
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.start(0, '127.0.0.1');
console.log(JSON.stringify({ issuer: `http://127.0.0.1:${server.address().port}` }));
