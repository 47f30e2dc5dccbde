#!/bin/sh
# Lights a lamp, or sounds a horn, on a line of the box's GPIO while any alert is raised: an example of an output that stands
# beside the gateway, so that a wire can never hold up a reading. Needs gpiod and mosquitto-clients.
#   USER_NAME=lamp TOKEN=... LINE=17 alert-lamp.sh
set -eu
: "${USER_NAME:?name of a user who may subscribe to tidegate/+/alert/#}" "${TOKEN:?}" "${LINE:?number of the GPIO line}"
chip=${CHIP:-gpiochip0}
raised=$(mktemp)
trap 'rm -f "$raised"; gpioset "$chip" "$LINE=0"' EXIT
trap 'exit 0' INT TERM

# Raised alerts are retained, so after a start the lamp is right at once.
mosquitto_sub -q 1 -u "$USER_NAME" -P "$TOKEN" -t 'tidegate/+/alert/#' -F '%t %p' | while read -r topic payload; do
    grep -vxF "$topic" "$raised" >"$raised.new" || true
    case $payload in
        *'"state":"raised"'*) printf '%s\n' "$topic" >>"$raised.new" ;;
    esac
    mv "$raised.new" "$raised"
    if [ -s "$raised" ]; then gpioset "$chip" "$LINE=1"; else gpioset "$chip" "$LINE=0"; fi
done
