package tidegate;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Reads batches of readings in plain Java, by the paper gateway/wire/FORMAT.md alone. Copy this file into a consumer of your own.
 *
 * <p>As a program it prints a line for each reading of the files it is given: {@code java TidegateBatch.java FILE...}
 */
public final class TidegateBatch {
    private static final int VERSION = 1;
    private static final int TELEMETRY = 1;
    private static final String[] QUALITIES = {"good", "uncertain", "bad", "bad"};
    private static final int PLAIN = 0xFF;
    private static final int LEVEL = 0x10;
    private static final int UNIT = 0x20;

    /** These are not the bytes of a message, or they were changed on their way. */
    public static final class Malformed extends RuntimeException {
        Malformed(String what) {
            super(what);
        }
    }

    /** A reading: as it was sent (raw) and once cleaned (value), either may be null. Times are ms since 1970. */
    public record Reading(
            String device, String signal, String unit, long timeMs, long arrivalMs, Double raw, Double value, String quality,
            int reasons) {}

    /** A batch: who wrote it, when, and its readings. */
    public record Batch(String gateway, long atMs, List<Reading> readings) {}

    /** Reads the value of a record whose {@code ce_type} is {@code tidegate.telemetry.v1}. */
    public static Batch decode(byte[] message) {
        if (message.length < 5 || message[0] != VERSION) {
            throw new Malformed("format version " + (message.length == 0 ? "none" : message[0]) + " is not known here");
        }
        int end = message.length - Integer.BYTES;
        CRC32C checksum = new CRC32C();
        checksum.update(message, 0, end);
        int sent = ByteBuffer.wrap(message, end, Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).getInt();
        if ((int) checksum.getValue() != sent) {
            throw new Malformed("the checksum differs");
        }
        Cursor body = new Cursor(ByteBuffer.wrap(message, 1, end - 1));
        // Above the kind stands how far the gateway's clock could be trusted; each reading says so in its reasons.
        int kind = body.octet() & 15;
        if (kind != TELEMETRY) {
            throw new Malformed("kind " + kind + " is no batch of readings");
        }
        String gateway = body.text();
        long base = body.signed();
        List<Reading> readings = new Columns(body, base).readings();
        body.end();
        return new Batch(gateway, base, readings);
    }

    /** The six sections of a batch, each of which gives one item for a row. */
    private static final class Columns {
        private final long base;
        private final Cursor dictionary;
        private final Cursor marks;
        private final Cursor times;
        private final Cursor lags;
        private final Cursor values;
        private final Cursor raws;
        private long sameMarks;
        private long mark;

        Columns(Cursor body, long base) {
            this.base = base;
            dictionary = body.section();
            marks = body.section();
            times = body.section();
            lags = body.section();
            values = body.section();
            raws = body.section();
        }

        List<Reading> readings() {
            List<Reading> readings = new ArrayList<>();
            while (dictionary.hasMore()) {
                readSensor(readings);
            }
            for (Cursor column : new Cursor[] {marks, times, lags, values, raws}) {
                column.end();
            }
            if (sameMarks > 0) {
                throw new Malformed("a run of marks is longer than the dictionary says");
            }
            return readings;
        }

        private void readSensor(List<Reading> readings) {
            dictionary.unsigned(); // the sensor's place in the gateway's table
            String device = dictionary.text();
            String signal = dictionary.text();
            String unit = dictionary.text();
            long count = dictionary.unsigned();
            int shape = times.octet();
            Times time = new Times(times, base, (shape & 1) == 1);
            Lags lag = new Lags(lags, shape >> 1);
            Numbers value = new Numbers(values);
            Numbers raw = new Numbers(raws);
            for (long left = count; left > 0; left--) {
                long mark = nextMark();
                int content = (int) (mark & 7);
                int flags = (int) (mark >>> 3);
                long timeMs = time.next();
                long arrivalMs = timeMs + lag.next();
                Double cleaned = content == 0 || content == 2 || content == 3 ? value.next() : null;
                Double sent = content == 0 ? cleaned : content == 1 || content == 2 ? raw.next() : null;
                if (content > 4) {
                    throw new Malformed("kind of content " + content);
                }
                readings.add(new Reading(
                        device, signal, unit, timeMs, arrivalMs, sent, cleaned, QUALITIES[flags & 3], flags >>> 2));
            }
        }

        private long nextMark() {
            if (sameMarks == 0) {
                sameMarks = marks.unsigned();
                mark = marks.unsigned();
                if (sameMarks <= 0) {
                    throw new Malformed("empty run of marks");
                }
            }
            sameMarks--;
            return mark;
        }
    }

    /** Event times of one sensor: distances from a grid, or steps less the period. */
    private static final class Times {
        private final Cursor column;
        private final boolean isGrid;
        private final long period;
        private long line;
        private boolean isFirst = true;

        Times(Cursor column, long base, boolean isGrid) {
            this.column = column;
            this.isGrid = isGrid;
            line = base + column.signed();
            period = column.signed();
        }

        long next() {
            if (!isFirst) {
                line += period;
            } else {
                isFirst = false;
                if (!isGrid) {
                    return line;
                }
            }
            long time = line + column.signed();
            if (!isGrid) {
                line = time;
            }
            return time;
        }
    }

    /** Arrival less time: one for all rows of the sensor, how much above the least, or the difference to the one before. */
    private static final class Lags {
        private final Cursor column;
        private final int kind;
        private long lag;

        Lags(Cursor column, int kind) {
            if (kind > 2) {
                throw new Malformed("kind of lag column " + kind);
            }
            this.column = column;
            this.kind = kind;
            lag = kind < 2 ? column.signed() : 0;
        }

        long next() {
            if (kind == 2) {
                lag += column.signed();
            }
            return kind == 1 ? lag + column.unsigned() : lag;
        }
    }

    /** Whole numbers over a power of ten, by their steps or around a level; or plain doubles. */
    private static final class Numbers {
        private final Cursor column;
        private int scale = -1;
        private boolean hasLevel;
        private long unit = 1;
        private long whole;

        Numbers(Cursor column) {
            this.column = column;
        }

        double next() {
            if (scale < 0) {
                open(column.octet());
            }
            if (scale == PLAIN) {
                return column.number();
            }
            long found = whole + column.signed();
            if (!hasLevel) {
                whole = found;
            }
            return (double) (found * unit) / Math.pow(10, scale);
        }

        private void open(int first) {
            scale = first;
            if (first != PLAIN) {
                hasLevel = (first & LEVEL) != 0;
                scale = first & ~(LEVEL | UNIT);
                if (scale > 9) {
                    throw new Malformed("scale " + scale);
                }
                unit = (first & UNIT) != 0 ? column.unsigned() : 1;
                whole = hasLevel ? column.signed() : 0;
            }
        }
    }

    /** Takes the smallest parts off the front of bytes. */
    private static final class Cursor {
        private final ByteBuffer bytes;

        Cursor(ByteBuffer bytes) {
            this.bytes = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
        }

        boolean hasMore() {
            return bytes.hasRemaining();
        }

        void end() {
            if (hasMore()) {
                throw new Malformed("bytes are left over");
            }
        }

        private void need(long count) {
            if (count < 0 || count > bytes.remaining()) {
                throw new Malformed("the message is cut short");
            }
        }

        int octet() {
            need(1);
            return Byte.toUnsignedInt(bytes.get());
        }

        /** LEB128: up to 64 bits, of which Java shows the upper half as negative. */
        long unsigned() {
            long number = 0;
            for (int shift = 0; shift < 70; shift += 7) {
                int octet = octet();
                number |= (long) (octet & 0x7F) << shift;
                if (octet < 0x80) {
                    return number;
                }
            }
            throw new Malformed("number above 64 bits");
        }

        long signed() {
            long zigzag = unsigned();
            return zigzag >>> 1 ^ -(zigzag & 1);
        }

        double number() {
            need(Double.BYTES);
            return bytes.getDouble();
        }

        String text() {
            long length = unsigned();
            need(length);
            byte[] text = new byte[(int) length];
            bytes.get(text);
            return new String(text, StandardCharsets.UTF_8);
        }

        Cursor section() {
            need(Integer.BYTES);
            int length = bytes.getInt();
            need(length);
            Cursor section = new Cursor(bytes.duplicate().limit(bytes.position() + length));
            bytes.position(bytes.position() + length);
            return section;
        }
    }

    /** One line for each reading: device, signal, unit, time, arrival, raw, value, quality and reasons, by tabs. */
    public static void main(String[] files) throws IOException {
        for (String file : files) {
            for (Reading it : decode(Files.readAllBytes(Path.of(file))).readings()) {
                System.out.println(String.join(
                        "\t", it.device(), it.signal(), it.unit(), Long.toString(it.timeMs()), Long.toString(it.arrivalMs()),
                        bits(it.raw()), bits(it.value()), it.quality(), Integer.toString(it.reasons())));
            }
        }
    }

    private static String bits(Double number) {
        return number == null ? "-" : Long.toHexString(Double.doubleToRawLongBits(number));
    }

    private TidegateBatch() {}
}
