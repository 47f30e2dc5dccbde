// npm's mqtt against a gateway on 127.0.0.1: prints "ok WHAT" or "no WHAT" for each thing that is to hold.
'use strict';
const mqtt = require('mqtt');

const port = Number(process.argv[2]);
const say = (holds, what) => console.log(`${holds ? 'ok' : 'no'} ${what}`);

function gather(client, count) {
    return new Promise((resolve) => {
        const found = [];
        const end = setTimeout(() => resolve(found), 3000);
        client.on('message', (topic, payload, packet) => {
            found.push({ topic, payload: payload.toString(), properties: packet.properties, retain: packet.retain });
            if (found.length === count) {
                clearTimeout(end);
                resolve(found);
            }
        });
    });
}

async function run(protocolVersion) {
    const name = protocolVersion === 5 ? '5.0' : '3.1.1';
    const connect = (clientId, more) =>
        mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion, clientId, reconnectPeriod: 0, ...more });
    const listener = await connect(`node-listener-${protocolVersion}`);
    const granted = await listener.subscribeAsync({ [`node/${protocolVersion}/+`]: { qos: 2 } });
    say(granted[0].qos === 2, `${name}: QoS 2 is granted`);
    const messages = gather(listener, 90);
    const sender = await connect(`node-sender-${protocolVersion}`);
    await Promise.all(
        Array.from({ length: 90 }, (_, number) =>
            sender.publishAsync(`node/${protocolVersion}/t`, String(number), {
                qos: number % 3,
                ...(protocolVersion === 5 ? { properties: { userProperties: { unit: 'bar' } } } : {}),
            }),
        ),
    );
    const found = await messages;
    const numbers = new Set(found.map((message) => message.payload));
    say(numbers.size === 90 && found.length === 90, `${name}: 90 messages come once each`);
    if (protocolVersion === 5) {
        say(found.every((message) => message.properties.userProperties.unit === 'bar'), `${name}: user properties come along`);
    }
    await sender.publishAsync(`node/${protocolVersion}/kept`, 'x', { qos: 1, retain: true });
    const late = await connect(`node-late-${protocolVersion}`);
    const kept = gather(late, 1);
    await late.subscribeAsync(`node/${protocolVersion}/kept`, { qos: 1 });
    say((await kept)[0]?.retain === true, `${name}: a retained message comes to who subscribes`);
    await Promise.all([listener, sender, late].map((client) => client.endAsync()));
}

run(4)
    .then(() => run(5))
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
