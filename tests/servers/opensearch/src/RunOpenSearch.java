import java.nio.file.*; import java.util.*;
import org.opensearch.common.settings.Settings; import org.opensearch.env.Environment;
import org.opensearch.node.Node; import org.opensearch.plugins.Plugin;
public class RunOpenSearch { // args: home httpPort transportPort [setting=value ...]
  static class N extends Node { N(Environment e, Collection<Class<? extends Plugin>> p) { super(e, p, true); } }
  public static void main(String[] a) throws Exception {
    Path home = Paths.get(a[0]).toAbsolutePath(); Files.createDirectories(home.resolve("config"));
    Settings.Builder s = Settings.builder().put("path.home", home.toString()).put("path.data", home.resolve("data").toString()).put("path.logs", home.resolve("logs").toString())
      .put("cluster.name", "test").put("node.name", "n1").put("network.host", "127.0.0.1").put("http.port", a[1]).put("transport.port", a[2])
      .put("discovery.type", "single-node").put("transport.type", "netty4").put("http.type", "netty4").put("cluster.routing.allocation.disk.threshold_enabled", false);
    for (int i = 3; i < a.length; i++) { String[] kv = a[i].split("=", 2); s.put(kv[0], kv[1]); }
    List<Class<? extends Plugin>> p = List.of(org.opensearch.transport.Netty4Plugin.class, org.opensearch.index.reindex.ReindexPlugin.class);
    Node n = new N(new Environment(s.build(), home.resolve("config")), p);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { n.close(); } catch (Exception e) { } }));
    n.start(); System.out.println("STARTED"); Thread.currentThread().join();
  }
}
