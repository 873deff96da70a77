import CShims
import LinuxSys
import Testing

@testable import FuseKit

@Suite struct NegotiationTests {
    private func offer(_ flags: UInt64, minor: UInt32 = 45, extended: Bool = true) -> Offer? {
        let a = fuse_init_in(major: 7, minor: minor, max_readahead: 131072, flags: UInt32(truncatingIfNeeded: flags))
        let body =
            Wire.bytes(a)
            + (extended ? Wire.bytes(UInt32(truncatingIfNeeded: flags >> 32)) + [UInt8](repeating: 0, count: 44) : [])
        return Wire.request(FUSE_INIT, body).withLent { m in Request(m).flatMap { Offer($0) } }
    }

    @Test func onlyWhatIsOffered() throws {
        let agreement = Agreement(
            try #require(offer(FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS)), Wanted())
        #expect(agreement.flags == [.asyncRead, .parallelDirectoryOperations])
        // No FUSE_MAX_PAGES: 32 pages.
        #expect(agreement.maxWrite == 131072)
        #expect(agreement.reply.max_pages == 32)
        #expect(agreement.reply.max_readahead == 131072)
    }

    @Test func neverAskedFor() throws {
        var wanted = Wanted()
        wanted.passthrough = true
        wanted.idmappedMounts = true
        wanted.ioUring = true
        let agreement = Agreement(try #require(offer(.max)), wanted)
        for flag in [
            FUSE_POSIX_LOCKS, FUSE_FLOCK_LOCKS, FUSE_EXPORT_SUPPORT, FUSE_AUTO_INVAL_DATA, FUSE_CREATE_SUPP_GROUP,
            FUSE_SECURITY_CTX, FUSE_HANDLE_KILLPRIV, FUSE_WRITEBACK_CACHE, FUSE_REQUEST_TIMEOUT, UInt64(1) << 63,
        ] {
            #expect(agreement.flags.rawValue & flag == 0)
        }
        #expect(
            agreement.flags.isSuperset(of: [
                .passthrough, .idmappedMounts, .ioUring, .noExportSupport, .resend, .expireOnly,
            ]))
        #expect(UInt64(agreement.reply.flags) | UInt64(agreement.reply.flags2) << 32 == agreement.flags.rawValue)
        #expect(agreement.reply.flags & UInt32(FUSE_INIT_EXT) != 0)
        #expect(agreement.reply.max_stack_depth == 1)
        #expect(agreement.maxWrite == 1 << 20 && agreement.reply.max_pages == 256)
    }

    @Test func handlesOpenOnlyWhereTheFilesystemFindsThem() throws {
        var wanted = Wanted()
        wanted.exportSupport = true
        let agreement = Agreement(try #require(offer(.max)), wanted)
        #expect(agreement.flags.contains(.exportSupport) && !agreement.flags.contains(.noExportSupport))
    }

    @Test func writebackExcludesPassthrough() throws {
        var wanted = Wanted()
        wanted.passthrough = true
        wanted.writebackCache = true
        let agreement = Agreement(try #require(offer(.max)), wanted)
        #expect(agreement.flags.contains(.writebackCache) && !agreement.flags.contains(.passthrough))
        #expect(agreement.reply.max_stack_depth == 0)
    }

    @Test func oldKernels() throws {
        // Without FUSE_INIT_EXT the words behind mean nothing; a short body has none.
        let plain = try #require(offer(FUSE_PASSTHROUGH | FUSE_ASYNC_READ))
        #expect(plain.flags == .asyncRead)
        let short = try #require(offer(FUSE_INIT_EXT | FUSE_ASYNC_READ, minor: 31, extended: false))
        #expect(short.flags.contains(.asyncRead))
        #expect(Agreement(short, Wanted()).reply.minor == 31)
        #expect(Wire.request(FUSE_INIT, [1, 2, 3]).withLent { m in Request(m).flatMap { Offer($0) } } == nil)
    }

    @Test func sizes() {
        var wanted = Wanted()
        wanted.maxWrite = 5000
        #expect(wanted.clampedMaxWrite == 4096)
        wanted.maxWrite = 0
        #expect(wanted.clampedMaxWrite == 4096)
        wanted.maxWrite = .max
        #expect(wanted.clampedMaxWrite == 65535 * 4096)
    }

    @Test func mountOptions() {
        var options = SessionOptions()
        options.source = "a,b\\c"
        options.noSetuid = false
        #expect(
            options.libraryOptions
                == "fsname=a\\,b\\\\c,subtype=unionfsd,max_read=1048576,rw,suid,allow_other,default_permissions")
        #expect(options.threadCount(processors: 1) == 4)
        #expect(options.threadCount(processors: 6) == 12)
        #expect(options.threadCount(processors: 64) == 16)
        options.threads = 0
        #expect(options.threadCount(processors: 4) == 1)
    }
}
