import Testing
import TrajpackFormat
import TrajpackTestSupport

@testable import TrajpackRemote

@Suite struct RemoteTests {
  @Test func spansHoldAllRangesAndNoWiderGaps() {
    var random = SeededGenerator(seed: 17)
    for _ in 0..<200 {
      let ranges = (0..<Int.random(in: 1...60, using: &random)).map { _ in
        let first = Int.random(in: 0..<20_000_000, using: &random)
        return first..<first + Int.random(in: 0...200_000, using: &random)
      }
      for gap in [0, RemoteFetch.widestGap] {
        let spans = RemoteFetch.coalesce(ranges, gap: gap)
        for range in ranges where !range.isEmpty {
          #expect(
            spans.contains {
              $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound
            })
        }
        for (a, b) in zip(spans, spans.dropFirst()) { #expect(b.lowerBound - a.upperBound > gap) }
        // Each span begins and ends with a range, and no gap between ranges in it is wider.
        for span in spans {
          let inside = ranges.filter { !$0.isEmpty && span.contains($0.lowerBound) }
            .sorted { $0.lowerBound < $1.lowerBound }
          #expect(inside.first?.lowerBound == span.lowerBound)
          var end = span.lowerBound
          for range in inside {
            #expect(range.lowerBound - end <= gap)
            end = max(end, range.upperBound)
          }
          #expect(end == span.upperBound)
        }
      }
    }
  }

  @Test func percentEncodingIsUndone() {
    for text in ["a b/c", "=+ü%&?#", "", "~._-", "\u{1F600}/x", "100%25"] {
      let encoded = PercentEncoding.encode(text, keeping: "/")
      #expect(PercentEncoding.decode(encoded) == text)
      #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2B && $0 != 0x3F })
    }
    #expect(PercentEncoding.encode("=/+") == "%3D%2F%2B")
  }

  @Test func timesOfCredentials() {
    #expect(CredentialRequest.seconds("1970-01-01T00:00:10Z") == 10)
    #expect(CredentialRequest.seconds("2026-11-29T10:00:00.123Z") == 1_795_946_400)
    #expect(CredentialRequest.seconds("2026-11-29T12:00:00+02:00") == 1_795_946_400)
    #expect(CredentialRequest.seconds("2026-11-29T04:30:00-0530") == 1_795_946_400)
    for wrong in ["", "now", "2026-11-29", "2026-11-29T10:00:00X", "2026-11-29T10:00:00+2"] {
      #expect(CredentialRequest.seconds(wrong) == nil)
    }
  }

  @Test func locationsHaveNoSecrets() throws {
    let location = try RemoteLocation("https://me:a%20b@host.example:8443/x/ds/?sig=1&t=%2F")
    #expect(location.description == "https://host.example:8443/x/ds")
    let shard = location.appending("shard-000000.h5")
    #expect(shard.secrets == Secrets(query: "sig=1&t=%2F", user: "me", password: "a b"))
    #expect(try Endpoint(shard).url == "https://host.example:8443/x/ds/shard-000000.h5?sig=1&t=%2F")
    #expect(try RemoteLocation("https://host.example:8443/x/dsx").secrets.isEmpty)
    let hub = try HubPath(RemoteLocation("hf://datasets/me/moves@refs/convert/parquet/a/b"))
    #expect(
      hub.revision == "refs/convert/parquet" && hub.repository == "me/moves" && hub.path == "a/b")
    for wrong in [
      "https://", "s3://", "s3:///x", "hf://models/a/b", "hf://datasets/a", "s3://a b/x",
    ] {
      #expect(throws: TrajpackError.self) { try RemoteLocation(wrong) }
    }
  }

  @Test func sizesOfACache() {
    #expect(RemoteCache.bytes("12") == 12 && RemoteCache.bytes("3MiB") == 3 << 20)
    for wrong in ["", "MiB", "3 parsecs", "9999999999999GiB", "-1"] {
      #expect(RemoteCache.bytes(wrong) == nil)
    }
  }
}
