import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.ServerVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

/** MongoDB's wire protocol over memory, at a free port of 127.0.0.1, which it prints; until its input ends. */
public final class Server {
    public static void main(String[] arguments) throws Exception {
        MongoServer server = new MongoServer(new MemoryBackend().version(ServerVersion.MONGO_5_0));
        System.out.println(server.bind().getPort());
        while (System.in.read() >= 0) {}
        server.shutdownNow();
    }
}
