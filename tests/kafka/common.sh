# shellcheck shell=bash
# What up, down and ctl share: where the test broker lives, and how it is started and stopped.
# Sourced, not run. Set before sourcing, or in the environment:
#   TIDEGATE_KAFKA_PORT   port of clients on 127.0.0.1; the controller takes the next one (default 19092)
#   TIDEGATE_KAFKA_SEEN_AS  another address under which clients see it, by a listener at the second next port (default none)
#   TIDEGATE_KAFKA_HEAP   heap of the server (default 384m)
#   TIDEGATE_KAFKA_DIR    data, log and pid (default: a folder for each port in the cache)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
port=${TIDEGATE_KAFKA_PORT:-19092}
seen_as=${TIDEGATE_KAFKA_SEEN_AS:-}
heap=${TIDEGATE_KAFKA_HEAP:-384m}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate
jars=$cache/kafka-$version
dir=${TIDEGATE_KAFKA_DIR:-$cache/kafka-on-$port}
# A cold start on two busy cores was seen to take 20 s; this is a bound, not an expectation.
ready_s_max=120

fail() {
    printf 'kafka: %s\n' "$*" >&2
    exit 1
}

# Commands on one broker exclude each other; the lock goes with the process that holds it.
lock() {
    mkdir -p "$dir"
    exec 9>"$dir/lock"
    flock -w "$ready_s_max" 9 || fail "another command holds $dir/lock for $ready_s_max s"
}

need_java() {
    command -v java >/dev/null || fail "no java found; install a JDK, 17 or later (Debian: apt-get install openjdk-17-jdk-headless)"
    local major
    major=$(java -version 2>&1 | sed -n 's/^[^"]*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ] || fail "java is version ${major:-unknown}, Kafka $version needs 17 or later (Debian: apt-get install openjdk-17-jdk-headless)"
}

# Fills the cache of jars once: into a folder beside it, which is then renamed, so that half a download is never used.
fetch() {
    [ -d "$jars" ] && return
    command -v mvn >/dev/null || fail "no mvn found, which fetches Kafka $version once; install it (Debian: apt-get install maven)"
    local part
    mkdir -p "$cache"
    part=$(mktemp -d "$cache/kafka-part.XXXXXX")
    if ! mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part" >"$dir/fetch.log" 2>&1; then
        rm -rf "$part"
        fail "Kafka $version could not be fetched from Maven Central; see $dir/fetch.log"
    fi
    mv -T "$part" "$jars" 2>/dev/null || rm -rf "$part"
}

# The pid of this broker, or nothing: a pid file left over from before a reboot names somebody else's process.
pid() {
    local candidate
    candidate=$(cat "$dir/pid" 2>/dev/null) || return 0
    if tr '\0' ' ' <"/proc/$candidate/cmdline" 2>/dev/null | grep -qF "kafka.Kafka $dir/server.properties"; then
        echo "$candidate"
    fi
}

require_pid() {
    local found
    found=$(pid)
    [ -n "$found" ] || fail "no broker runs from $dir; start it with tests/kafka/up"
    echo "$found"
}

port_is_open() {
    (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

write_properties() {
    cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))${seen_as:+,AFAR://127.0.0.1:$((port + 2))}
advertised.listeners=PLAINTEXT://127.0.0.1:$port${seen_as:+,AFAR://$seen_as}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,AFAR:PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After a kill the node may not come back before its old session has ended, which takes 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Replayed series are years old: nothing may go by its age.
log.retention.ms=-1
# The default takes a third of the heap.
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
}

# Starts the server on whatever the data folder holds, and waits until it says that it has started.
start() {
    need_java
    fetch
    local busy
    for busy in "$port" "$((port + 1))" ${seen_as:+"$((port + 2))"}; do
        port_is_open "$busy" && fail "port $busy is taken by another process; choose one with TIDEGATE_KAFKA_PORT"
    done
    write_properties
    local class_path="$jars/*"
    if [ ! -f "$dir/data/meta.properties" ]; then
        java -Xmx128m -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$class_path" \
            kafka.tools.StorageTool format --cluster-id tidegate-test-cluster1 --config "$dir/server.properties" \
            >"$dir/format.log" 2>&1 9>&- || fail "the storage could not be formatted; see $dir/format.log"
    fi
    # Before the server, which opens it late on a busy machine: what the last one said must not be taken for this one's word.
    : >"$dir/server.log"
    setsid java -Xms128m -Xmx"$heap" -XX:+UseSerialGC -Djava.awt.headless=true \
        -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$class_path" \
        kafka.Kafka "$dir/server.properties" >"$dir/server.log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/pid"
    wait_started
}

wait_started() {
    local deadline=$((SECONDS + ready_s_max))
    until grep -q 'Kafka Server started' "$dir/server.log"; do
        # By its number alone: until the process has become java, pid() does not know it.
        kill -0 "$(cat "$dir/pid")" 2>/dev/null || fail "the server ended while it started; see $dir/server.log"
        [ "$SECONDS" -lt "$deadline" ] || fail "the server has not started after $ready_s_max s; see $dir/server.log"
        sleep 0.2
    done
}

# Signals the server and waits until its process is gone.
stop() {
    local signal=$1 running deadline=$((SECONDS + 30))
    running=$(pid)
    [ -n "$running" ] || return 0
    kill -CONT "$running" 2>/dev/null
    kill "-$signal" "$running" 2>/dev/null
    while [ -n "$(pid)" ]; do
        [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$running" 2>/dev/null
        sleep 0.1
    done
}

# Runs one of the small Java programs beside this file (they compile as they start) against the broker.
run_java() {
    local program=$1
    shift
    java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$here/log4j2.properties" \
        -cp "$jars/*" "$here/$program.java" "127.0.0.1:$port" "$@" 9>&-
}

topics() {
    run_java Topics || fail "the broker at 127.0.0.1:$port runs but does not answer; see $dir/server.log"
}
