// npm's mqtt against the URL that is given: publishes to itself, and prints how many bytes came back.
'use strict';
const fs = require('fs');
const mqtt = require('mqtt');

const [url, ca] = process.argv.slice(2);
const client = mqtt.connect(url, {
    username: 'anna',
    password: 'secret',
    protocolVersion: 5,
    reconnectPeriod: 0,
    ca: ca ? fs.readFileSync(ca) : undefined,
});
const sizes = [];
const end = (code) => client.end(true, {}, () => process.exit(code));

setTimeout(() => end(1), 8000);
client.on('error', (error) => { console.error(error.message); end(1); });
client.on('message', (_topic, payload) => {
    sizes.push(payload.length);
    if (sizes.length === 3) {
        console.log(sizes.join(' '));
        end(0);
    }
});
client.on('connect', () => client.subscribe('npm/#', { qos: 1 }, () => {
    for (const size of [1, 1000, 50000]) client.publish('npm/x', 'x'.repeat(size), { qos: 1 });
}));
