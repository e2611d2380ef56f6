// SPDX-License-Identifier: GPL-2.0-or-later
// HTTPS of node, by the rules of rounds.py: node.js server PORT CERT KEY | client PORT CERT
'use strict';
const fs = require('fs'), https = require('https');
const [role, port, cert, key] = process.argv.slice(2);
const CONNECTIONS = 50, ROUNDS = 3, SECONDS_MAX = 60;
const requestsIn = (round) => (round === 0 ? CONNECTIONS : 2 * CONNECTIONS);

function serve() {
	const rounds = {};
	const own = { cert: fs.readFileSync(cert), key: fs.readFileSync(key), keepAliveTimeout: SECONDS_MAX * 1000 };
	https.createServer(own, (request, response) => {
		const number = Number(request.url.split('-')[1]);
		const waiting = (rounds[number] ||= []);
		console.log(request.url, request.socket.remotePort);
		waiting.push(response);
		if (waiting.length === requestsIn(number))
			waiting.forEach((r) => r.end('hello'));
	}).listen(Number(port), '127.0.0.1', 500);
}

const agent = new https.Agent({ keepAlive: true, ca: role === 'client' ? fs.readFileSync(cert) : undefined });

function get(path) {
	return new Promise((done, failed) => https.get({ host: '127.0.0.1', port, path, agent }, (response) => {
		response.resume();
		response.on('end', done);
	}).on('error', failed));
}

async function talk() {
	for (let number = 0; number <= ROUNDS; number++) {
		if (number === 1) {
			console.log('open');
			await new Promise((done) => process.stdin.once('data', done));
		}
		await Promise.all(Array.from({ length: requestsIn(number) },
			(_, n) => get('/c' + String(n).padStart(2, '0') + '-' + number)));
	}
	process.exit(0);
}

(role === 'server' ? serve : talk)();
