"""Foreign MQTT clients: mosquitto_pub and mosquitto_sub as processes, paho-mqtt in this one."""

import atexit
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Set

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

WAIT_S_MAX = 30.0


class Login(NamedTuple):
    """Where a client connects, and as whom."""

    port: int
    user: str = ""
    password: str = ""

    def arguments(self) -> List[str]:
        who = ["-u", self.user, "-P", self.password] if self.user else []
        return ["-h", "127.0.0.1", "-p", str(self.port), *who]


def mosquitto_pub(login: Login, topic: str, payloads: List[str], *arguments: str) -> subprocess.CompletedProcess:
    """Publishes each payload; ends when all are acknowledged."""
    command = ["mosquitto_pub", *login.arguments(), "-t", topic, "-l", *arguments]
    return subprocess.run(
        command, input="".join(f"{payload}\n" for payload in payloads), capture_output=True, text=True, timeout=60, check=False
    )


class Heard(NamedTuple):
    """A message that a subscriber got."""

    retained: bool
    qos: int
    topic: str
    payload: str

    def json(self) -> dict:
        return json.loads(self.payload)


class MosquittoSub:
    """A subscriber that writes down what it gets."""

    def __init__(self, login: Login, file: Path, topic: str, *arguments: str):
        self.file = file
        command = ["mosquitto_sub", *login.arguments(), "-t", topic, "-F", "%r %q %t %p", *arguments]
        with open(file, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        atexit.register(self.end)

    def heard(self) -> List[Heard]:
        lines = self.file.read_text(errors="replace").splitlines()
        fields = (line.split(" ", 3) for line in lines)
        return [Heard(field[0] == "1", int(field[1]), field[2], field[3]) for field in fields if len(field) == 4]

    def end(self):
        self.process.kill()
        self.process.wait()


class Paho:
    """A client of paho-mqtt that connects again by itself and knows what was acknowledged, with which reason."""

    def __init__(self, login: Login, client_id: str, version: int = paho.MQTTv5, window: int = 20):
        self.reasons: Dict[int, str] = {}
        self.sent: Set[int] = set()
        self.disconnects = 0
        self.connected = threading.Event()
        self.let_in = threading.Event()
        clean = {"clean_session": False} if version != paho.MQTTv5 else {}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, **clean)
        self.client.max_inflight_messages_set(window)
        self.client.max_queued_messages_set(0)
        self.client.reconnect_delay_set(1, 1)
        if login.user:
            self.client.username_pw_set(login.user, login.password)
        self.client.on_publish = self._published
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self._connect(login, version)
        self.client.loop_start()

    def _connect(self, login: Login, version: int):
        if version == paho.MQTTv5:
            properties = paho.Properties(paho.PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600
            self.client.connect_async("127.0.0.1", login.port, keepalive=20, clean_start=False, properties=properties)
        else:
            self.client.connect_async("127.0.0.1", login.port, keepalive=20)

    def _connected(self, *_):
        self.connected.set()
        self.let_in.set()

    def _disconnected(self, *_):
        self.connected.clear()
        self.disconnects += 1

    def _published(self, _client, _userdata, number, reason, _properties):
        self.reasons[number] = str(reason)

    def publish(self, topic: str, payload: str, qos: int = 1, retain: bool = False) -> int:
        """Hands over a message; returns its packet id. One client sends fewer messages than there are ids.

        The first one waits for the connection: what paho takes between its socket and the CONNACK overtakes what it took before.
        """
        self.let_in.wait(WAIT_S_MAX)
        number = self.client.publish(topic, payload, qos=qos, retain=retain).mid
        self.sent.add(number)
        return number

    def reason(self, number: int) -> Optional[str]:
        """The reason code of an acknowledgement; waits for it."""
        self.wait(lambda: number in self.reasons)
        return self.reasons.get(number)

    def wait_acknowledged(self, seconds: float = WAIT_S_MAX) -> bool:
        return self.wait(lambda: len(self.reasons) == len(self.sent), seconds)

    def wait(self, what, seconds: float = WAIT_S_MAX) -> bool:
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()
