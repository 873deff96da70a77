import Testing

@testable import LayerStore

@Suite struct NameTests {
    @Test func digests() {
        let hex = String(repeating: "0123456789abcdef", count: 4)
        #expect(Digest("sha256:\(hex)")?.hex == hex)
        for wrong in [
            "", "sha256:", "sha256:\(hex)0", "sha256:\(hex.uppercased())", "sha512:\(hex)", "\(hex)", "sha256:\(hex):x",
            "sha256:../../../../etc/passwd",
        ] { #expect(Digest(wrong) == nil, "\(wrong)") }
        // FIPS 180-4's own examples.
        #expect(Digest.of([]).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(Digest.of(Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func imageNames() throws {
        #expect(try ImageName("debian").description == "debian:latest")
        #expect(try ImageName("debian:12").description == "debian:12")
        #expect(try ImageName("localhost:5000/a/b").description == "localhost:5000/a/b:latest")
        #expect(try ImageName("localhost:5000/a/b:c").description == "localhost:5000/a/b:c")
        for wrong in ["", "/a", "a/", "a//b", "../a", "a b", "a\n", "ä", ":", "a:", String(repeating: "a", count: 256)]
        {
            #expect(throws: StoreError.self, "\(wrong)") { try ImageName(wrong) }
        }
    }

    @Test func containerNames() throws {
        for right in ["a", "A1", "web-1.test_x", String(repeating: "a", count: 128)] {
            try StoreName.check(right, "container")
        }
        for wrong in ["", ".", "..", "-a", "_a", "a/b", "a b", "a\n", String(repeating: "a", count: 129)] {
            #expect(throws: StoreError.self, "\(wrong)") { try StoreName.check(wrong, "container") }
        }
    }

    @Test func restartPolicies() throws {
        #expect(try RestartPolicy("no") == RestartPolicy(.no))
        #expect(try RestartPolicy("on-failure:3") == RestartPolicy(.onFailure, limit: 3))
        #expect(try RestartPolicy("on-failure").description == "on-failure")
        for wrong in ["", "yes", "on-failure:", "on-failure:0", "on-failure:-1", "always:2", "no:1"] {
            #expect(throws: StoreError.self, "\(wrong)") { try RestartPolicy(wrong) }
        }
    }
}
