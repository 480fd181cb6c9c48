/**
 * Through.java CA URL... : fetches each page, over HTTP or HTTPS, and writes its length and its SHA-256.
 *
 * By URLConnection, which goes where the properties say (-DsocksProxyHost, -Dhttp.proxyHost, ...); where the property
 * `client` names an HTTP proxy as HOST:PORT, by java.net.http through that one. A URL `echo:HOST:PORT` is a Socket: what
 * is sent has to come back, once the sending side is shut down; a name there is left to the proxy.
 */
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

class Through {
  static final int ECHOED = 3_000_000;

  public static void main(String[] args) throws Exception {
    SSLContext tls = trusting(Path.of(args[0]));
    HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSocketFactory());
    String proxy = System.getProperty("client");
    HttpClient client = proxy == null ? null : clientOf(proxy, tls);
    for (String url : Arrays.asList(args).subList(1, args.length)) {
      URI uri = URI.create(url);
      byte[] page;
      if (uri.getScheme().equals("echo")) page = echo(uri.getSchemeSpecificPart());
      else if (client == null) page = read(uri);
      else page = client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofByteArray()).body();
      byte[] sum = MessageDigest.getInstance("SHA-256").digest(page);
      System.out.println(page.length + " " + HexFormat.of().formatHex(sum));
    }
  }

  static SSLContext trusting(Path authority) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream pem = Files.newInputStream(authority)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext tls = SSLContext.getInstance("TLS");
    tls.init(null, trust.getTrustManagers(), null);
    return tls;
  }

  static HttpClient clientOf(String proxy, SSLContext tls) {
    String[] parts = proxy.split(":");
    InetSocketAddress address = new InetSocketAddress(parts[0], Integer.parseInt(parts[1]));
    return HttpClient.newBuilder().proxy(ProxySelector.of(address)).sslContext(tls).build();
  }

  static byte[] read(URI uri) throws Exception {
    try (InputStream page = uri.toURL().openStream()) {
      return page.readAllBytes();
    }
  }

  static byte[] echo(String destination) throws Exception {
    String[] parts = destination.split(":");
    byte[] sent = new byte[ECHOED];
    new Random(1).nextBytes(sent);
    try (Socket socket = new Socket()) {
      int port = Integer.parseInt(parts[1]);
      boolean isAddress = Character.isDigit(parts[0].charAt(0));
      socket.connect(isAddress ? new InetSocketAddress(parts[0], port) : InetSocketAddress.createUnresolved(parts[0], port));
      Thread sender = new Thread(() -> {
        try {
          socket.getOutputStream().write(sent);
          socket.shutdownOutput();
        } catch (Exception error) {
          throw new RuntimeException(error);
        }
      });
      sender.start();
      byte[] come = socket.getInputStream().readAllBytes();
      sender.join();
      if (!Arrays.equals(come, sent)) throw new Exception(come.length + " octets came back, not those that were sent");
      return come;
    }
  }
}
