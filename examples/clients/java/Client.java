import java.io.IOException;
import java.math.BigInteger;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.EdECPoint;
import java.security.spec.EdECPublicKeySpec;
import java.security.spec.NamedParameterSpec;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Logs a user in, verifies the access token in both ways, refreshes the tokens and logs out. Java 17, no dependencies.
 *
 * <p>A real service takes a JSON and a JWT library instead of {@link #member} and {@link #verifyByKeys}; the library must know
 * EdDSA (Nimbus JOSE+JWT does, together with Tink).
 */
public class Client {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final String REALM = env("REALM");

    public static void main(String[] arguments) throws Exception {
        // the addresses of the realm's endpoints (RFC 8414)
        String server = get(env("PORTCULLIS_URL") + "/.well-known/oauth-authorization-server/" + REALM);
        String tokenEndpoint = member(server, "token_endpoint");
        String introspection = member(server, "introspection_endpoint");
        String issuer = member(server, "issuer");
        String keys = get(member(server, "jwks_uri"));

        String login = logIn(tokenEndpoint, "203.0.113.7");
        String access = member(login, "access_token");
        System.out.println("keys " + member(verifyByKeys(access, keys, issuer), "sub"));
        System.out.println("introspection " + member(introspect(introspection, access), "sub"));

        Map<String, String> refresh = Map.of("grant_type", "refresh_token", "refresh_token", member(login, "refresh_token"));
        String renewed = member(post(tokenEndpoint, refresh, Map.of()), "access_token");
        System.out.println("refreshed " + member(verifyByKeys(renewed, keys, issuer), "sub"));

        post(member(server, "revocation_endpoint"), Map.of("token", renewed), Map.of());
        System.out.println("active after logout " + introspect(introspection, renewed).contains("\"active\":true"));
    }

    /** Logs a user in; the address is the user's, so that the rate limit counts each user and not this program. */
    private static String logIn(String endpoint, String address) throws IOException, InterruptedException {
        Map<String, String> form =
            Map.of("grant_type", "password", "username", env("EMAIL"), "password", env("PASSWORD"));
        return post(endpoint, form, Map.of("X-Forwarded-For", address));
    }

    /** Asks the server about a token. A logout counts at once. */
    private static String introspect(String endpoint, String token) throws IOException, InterruptedException {
        String credentials = env("CLIENT_ID") + ":" + env("CLIENT_SECRET");
        String basic = "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(UTF_8));
        return post(endpoint, Map.of("token", token), Map.of("Authorization", basic));
    }

    /** Verifies a token with the public keys and returns its claims. A logout counts when the token expires. */
    private static String verifyByKeys(String token, String keys, String issuer) throws GeneralSecurityException {
        String[] parts = token.split("\\.");
        String header = new String(Base64.getUrlDecoder().decode(parts[0]), UTF_8);
        String claims = new String(Base64.getUrlDecoder().decode(parts[1]), UTF_8);
        require("EdDSA".equals(member(header, "alg")) && "at+jwt".equals(member(header, "typ")), "not our kind of token");
        Signature signature = Signature.getInstance("Ed25519");
        signature.initVerify(publicKey(keys, member(header, "kid")));
        signature.update((parts[0] + "." + parts[1]).getBytes(UTF_8));
        require(signature.verify(Base64.getUrlDecoder().decode(parts[2])), "the signature is wrong");
        require(issuer.equals(member(claims, "iss")) && REALM.equals(member(claims, "aud")), "not for this realm");
        require(Long.parseLong(member(claims, "exp")) > Instant.now().getEpochSecond(), "the token has expired");
        return claims;
    }

    /** The key with that id (RFC 8037): 32 bytes, little-endian, whose highest bit is the sign of x. */
    private static PublicKey publicKey(String keys, String id) throws GeneralSecurityException {
        for (String key : keys.split("\\{")) {
            if (key.contains("\"kid\"") && id.equals(member(key, "kid"))) {
                byte[] bytes = Base64.getUrlDecoder().decode(member(key, "x"));
                byte[] y = new byte[bytes.length];
                for (int at = 0; at < bytes.length; at++) {
                    y[at] = bytes[bytes.length - 1 - at];
                }
                boolean odd = (y[0] & 0x80) != 0;
                y[0] &= 0x7f;
                EdECPoint point = new EdECPoint(odd, new BigInteger(1, y));
                return KeyFactory.getInstance("Ed25519").generatePublic(new EdECPublicKeySpec(NamedParameterSpec.ED25519, point));
            }
        }
        throw new GeneralSecurityException("no key " + id);
    }

    private static String get(String address) throws IOException, InterruptedException {
        return send(HttpRequest.newBuilder(URI.create(address)).build());
    }

    private static String post(String address, Map<String, String> form, Map<String, String> headers)
        throws IOException, InterruptedException {
        String body = form.entrySet().stream()
            .map(field -> field.getKey() + "=" + URLEncoder.encode(field.getValue(), UTF_8))
            .collect(Collectors.joining("&"));
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(body));
        headers.forEach(request::header);
        return send(request.build());
    }

    private static String send(HttpRequest request) throws IOException, InterruptedException {
        var response = HTTP.send(request, BodyHandlers.ofString());
        if (response.statusCode() >= 300) {
            throw new IOException(request.uri() + ": " + response.statusCode() + " " + response.body());
        }
        return response.body();
    }

    /** A text or number of a flat JSON object. */
    private static String member(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"?([^\",}]+)").matcher(json);
        require(found.find(), "no " + name + " in the answer");
        return found.group(1);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalStateException(message);
        }
    }

    private static String env(String name) {
        return System.getenv(name);
    }
}
