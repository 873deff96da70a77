import LinuxSys
import Testing

@testable import UnionCore

/// Options as the engines write them (Tests/CLI/captured) and as people do.
struct MountOptionsTests {
    private func parsed(_ form: CallForm, _ text: FileName...) throws -> MountOptions {
        var options = MountOptions(form: form)
        for words in text { try options.apply(words) }
        try options.finish()
        return options
    }

    private func refusal(_ form: CallForm, _ text: FileName) -> String {
        do {
            _ = try parsed(form, text)
            return "accepted"
        } catch { return "\(error)" }
    }

    @Test func podmanAsRoot() throws {
        let o = try parsed(
            .engine,
            "lowerdir=/g/overlay/l/AAA:/g/overlay/l/BBB,upperdir=/g/overlay/x/diff,workdir=/g/overlay/x/work,,volatile")
        #expect(o.lower == ["/g/overlay/l/AAA", "/g/overlay/l/BBB"])
        #expect(o.upper == "/g/overlay/x/diff")
        #expect(o.work == "/g/overlay/x/work")
        #expect(o.isVolatile)
        #expect(!o.isReadOnly)
        #expect(o.notes == ["empty option ignored"])
        // docs/podman.md, contract 11 and 12.
        #expect(o.redirectDir == .off && !o.metacopy && o.index == .auto)
        #expect(o.flags == [.noAccessTime, .noDev])
    }

    @Test func podmanKeepsIDs() throws {
        let o = try parsed(
            .engine,
            """
            lowerdir=a,upperdir=b,workdir=c,uidmapping=:0:1:1001:1001:0:1:1002:1002:64535,\
            gidmapping=:0:1:1001,xattr_permissions=2,private
            """
        )
        #expect(
            o.uidMapping == [
                IDMapping(stored: 0, seen: 1, count: 1001), IDMapping(stored: 1001, seen: 0, count: 1),
                IDMapping(stored: 1002, seen: 1002, count: 64535),
            ])
        #expect(o.gidMapping == [IDMapping(stored: 0, seen: 1, count: 1001)])
        #expect(o.xattrPermissions == 2)
        #expect(o.notes.isEmpty)
    }

    @Test func podmanSquashes() throws {
        let o = try parsed(.engine, "lowerdir=a,upperdir=b,workdir=c,squash_to_uid=0,squash_to_gid=5")
        #expect(o.squashToUID == 0 && o.squashToGID == 5)
    }

    @Test func layersWithoutUpperAreReadOnly() throws {
        let o = try parsed(.engine, "lowerdir=a:b")
        #expect(o.isReadOnly && o.upper == nil && o.work == nil)
    }

    @Test func contextInQuotesKeepsItsCommas() throws {
        let o = try parsed(
            .engine, "lowerdir=a,context=\"system_u:object_r:container_file_t:s0:c1,c2\",upperdir=b,workdir=c")
        #expect(o.securityContexts == ["context=\"system_u:object_r:container_file_t:s0:c1,c2\""])
        #expect(o.upper == "b")
    }

    @Test func containerdOverMountHelper() throws {
        let o = try parsed(.engine, "lowerdir=a:b,upperdir=c,workdir=d", "dev,suid,ro")
        #expect(o.readOnly && o.isReadOnly)
        #expect(!o.flags.contains(.noDev) && !o.flags.contains(.noSuid))
    }

    @Test func escapes() throws {
        let o = try parsed(.strict, #"lowerdir=/a\:b:/c\,d:/e\\f,upperdir=/u\,v,workdir=/w\:x"#)
        #expect(o.lower == ["/a:b", "/c,d", #"/e\f"#])
        #expect(o.upper == "/u,v")
        #expect(o.work == "/w:x")
    }

    @Test func aQuoteWithinAPathIsAByte() throws {
        let o = try parsed(.strict, #"lowerdir=/a"b,upperdir="/u,v",workdir=w"#)
        #expect(o.lower == [#"/a"b"#])
        #expect(o.upper == "/u,v")
    }

    @Test(arguments: ["/plain", "/a:b", "/a,b", #"/back\slash"#, #"/quo"te"#, #""q""#, "/new\nline", "/tail\\"])
    func anyPathGoesThroughOneOption(_ path: String) throws {
        let name = FileName(path)
        let words = FileName(
            bytes: Array("lowerdir+=".utf8) + OptionText.escaped(name) + Array(",upperdir=".utf8)
                + OptionText.escaped(name) + Array(",workdir=w".utf8))
        let o = try parsed(.strict, words)
        #expect(o.lower == [name] && o.upper == name && o.work == "w")
    }

    @Test func bytesThatAreNoText() throws {
        let name = FileName(bytes: [0x2f, 0xff, 0xfe, 0x2c, 0xc3])
        let o = try parsed(.strict, FileName(bytes: Array("lowerdir=".utf8) + OptionText.escaped(name)))
        #expect(o.lower == [name])
    }

    @Test func manyLayers() throws {
        let text = (0..<500).map { "/layers/\($0)" }.joined(separator: ":")
        #expect(try parsed(.engine, FileName("lowerdir=\(text)")).lower.count == 500)
    }

    @Test func laterWordsWinAndPlusAdds() throws {
        let o = try parsed(.strict, "lowerdir=x,lowerdir=a", "lowerdir+=b:c,ro,rw,noexec,exec")
        #expect(o.lower == ["a", "b:c"])
        #expect(!o.readOnly && !o.flags.contains(.noExec))
    }

    @Test func dataLayers() throws {
        let o = try parsed(.strict, "lowerdir=a:b::d:e,metacopy=on")
        #expect(o.lower == ["a", "b"] && o.dataLower == ["d", "e"])
        #expect(refusal(.strict, "datadir+=d").contains("only data layers"))
    }

    @Test func defaultsOfTheTwoForms() {
        let strict = MountOptions(form: .strict)
        let engine = MountOptions(form: .engine)
        #expect(strict.redirectDir == .on && engine.redirectDir == .off)
        #expect(strict.index == .auto && engine.index == .auto)
        #expect(strict.whiteouts == .both && engine.whiteouts == .both)
        #expect(engine.redirectDir.follows && !engine.redirectDir.makes)
    }

    @Test func wordsOfOverlayfs() throws {
        let o = try parsed(
            .strict,
            """
            lowerdir=a,redirect_dir=follow,index=on,xino=off,nfs_export=off,uuid=auto,userxattr,verity=off,\
            fsync=strict
            """
        )
        #expect(
            o.redirectDir == .follow && o.index == .on && o.xino == .off && o.userXattr == true && o.durability == .auto
        )
        #expect(try parsed(.strict, "lowerdir=a,upperdir=u,workdir=w,fsync=strict").durability == .strict)
    }

    @Test func wordsOfFuseOverlayfs() throws {
        let o = try parsed(
            .engine,
            """
            lowerdir=a,upperdir=u,workdir=w,fsync=0,threaded=0,timeout=12.5,noxattrs=1,static_nlink,noacl,\
            plugins=x,fast_ino=1,writeback=1
            """
        )
        #expect(o.isVolatile && o.threads == 1 && o.cacheSeconds == 12 && o.noXattrs && o.staticNlink && o.noACL)
        #expect(o.notes.count == 1 && o.writeback == .auto)
        #expect(
            try parsed(.engine, "lowerdir=a,entry_timeout=5,attr_timeout=2,max_threads=3,disable_xattrs").cacheSeconds
                == 2)
        for word in ["plugins=x", "ino32_t", "nooverride_creds", "direct_io", "umask=022", "blkdev", "allow_root"] {
            #expect(refusal(.strict, FileName("lowerdir=a,\(word)")).contains("is not possible: "))
            #expect(try parsed(.engine, FileName("lowerdir=a,\(word)")).notes.count == 1)
        }
        #expect(try parsed(.engine, "lowerdir=a,writeback=0").writeback == .off)
        #expect(try parsed(.strict, "lowerdir=a,writeback=on").writeback == .on)
    }

    @Test func wordsOfFstab() throws {
        let o = try parsed(
            .strict, "lowerdir=a,defaults,noauto,nofail,_netdev,user,x-systemd.automount,comment=hello,rw")
        #expect(o.notes.isEmpty)
    }

    @Test func metacopyBringsRedirects() throws {
        #expect(try parsed(.engine, "lowerdir=a,metacopy=on").redirectDir == .on)
        #expect(refusal(.engine, "lowerdir=a,metacopy=on,redirect_dir=off").contains("redirect_dir"))
    }

    @Test func unknownWordsAreNamed() throws {
        #expect(refusal(.strict, "lowerdirs=a") == "unknown option \"lowerdirs\"; did you mean \"lowerdir\"?")
        #expect(refusal(.strict, "lowerdir=a,upper=b") == "unknown option \"upper\"; did you mean \"upperdir\"?")
        #expect(refusal(.strict, "lowerdir=a,metacpoy=on").contains("did you mean \"metacopy\"?"))
        #expect(refusal(.strict, "lowerdir=a,quux") == "unknown option \"quux\"")
        let o = try parsed(.engine, "lowerdir=a,quux=1,redirectdir=on")
        #expect(
            o.notes == [
                "unknown option \"quux\" ignored",
                "unknown option \"redirectdir\" ignored; did you mean \"redirect_dir\"?",
            ])
        #expect(o.redirectDir == .off)
    }

    @Test(arguments: [
        ("lowerdir", "needs a value"), ("lowerdir=", "needs a value"), ("upperdir", "needs a value"),
        ("lowerdir=a,", "empty option"),
        ("lowerdir=a::", "empty path"), ("lowerdir=:a", "empty path"), ("lowerdir=a:::b", "empty path"),
        ("upperdir=u,workdir=w", "no lower layer"),
        ("lowerdir=a,upperdir=u", "work directory"), ("lowerdir=a,xino=maybe", "on|off|auto"),
        ("lowerdir=a,index", "needs a value"),
        ("lowerdir=a,squash_to_uid=x", "number"), ("lowerdir=a,squash_to_uid=4294967296", "number"),
        ("lowerdir=a,squash_to_uid=-1", "number"),
        ("lowerdir=a,uidmapping=0:1", "triples"), ("lowerdir=a,uidmapping=:", "triples"),
        ("lowerdir=a,uidmapping=0:1:x", "triples"),
        ("lowerdir=a,uidmapping=0:1:0", "empty"), ("lowerdir=a,uidmapping=1:4294967295:2", "leaves the 32-bit"),
        ("lowerdir=a,xattr_permissions=3", "0, 1 or 2"), ("lowerdir=a,timeout=soon", "seconds"),
        ("lowerdir=a,verity=require,metacopy=off", "verity needs metacopy=on"),
        ("lowerdir=a,verity=maybe", "off|on|require"), ("lowerdir=a,uuid=on", "f_fsid"),
        ("lowerdir=a,nfs_export=maybe", "on|off"),
        ("lowerdir=a,bind", "mount(8)'s own"), ("lowerdir=a,metacopy=2", "on|off"),
    ])
    func mistakesAreSentences(_ text: String, _ part: String) {
        let said = refusal(.strict, FileName(text))
        #expect(said.contains(part), "\(text): \(said)")
    }

    @Test func valuesAreCheckedForEnginesToo() {
        #expect(refusal(.engine, "lowerdir=a,uidmapping=0:1").contains("triples"))
        #expect(refusal(.engine, "upperdir=u,workdir=w").contains("no lower layer"))
    }

    @Test func verityBringsMetacopies() throws {
        let o = try parsed(.strict, "lowerdir=a,verity=require")
        #expect(o.verity == .require && o.metacopy && o.redirectDir == .on)
        #expect(try parsed(.engine, "lowerdir=a,uuid=on").notes.count == 1)
        #expect(try parsed(.strict, "lowerdir=a,uuid=off").uuid == .off)
        #expect(try parsed(.strict, "lowerdir=a,nfs_export=on").coherent)
    }

    @Test func accessTimesAreThoseThatWereNamed() throws {
        func rule(_ words: FileName) throws -> AccessTimeRule {
            AccessTimeRule(try parsed(.strict, "lowerdir=a", words).flags, isReadOnly: false)
        }
        #expect(try rule("rw").moves == .never)
        #expect(try rule("relatime").moves == .relative && rule("relatime").ofDirectories)
        #expect(try rule("atime").moves == .relative)
        #expect(try rule("nodiratime").moves == .relative && !rule("nodiratime").ofDirectories)
        #expect(try rule("noatime,nodiratime").moves == .never)
        #expect(try rule("strictatime").moves == .always && rule("strictatime,relatime").moves == .relative)
        for raw in UInt8(0)..<8 where raw & 3 != 3 && raw != 4 { #expect(AccessTimeRule(raw: raw).raw == raw) }
        #expect(AccessTimeRule([.strictAccessTime], isReadOnly: true).moves == .never)
        #expect(AccessTimeRule(statfs: 0x1000) == AccessTimeRule([], isReadOnly: false))
        #expect(AccessTimeRule(statfs: 0x400 | 0x800) == AccessTimeRule([.noAccessTime], isReadOnly: false))
        #expect(
            AccessTimeRule(statfs: 0x800) == AccessTimeRule([.strictAccessTime, .noDirAccessTime], isReadOnly: false))
    }

    /// What mount(8) hands over at a remount, as it was captured.
    @Test func remounts() throws {
        func request(
            _ words: String, _ made: String, _ present: MountFlags, _ form: CallForm = .engine
        ) throws(OptionError) -> MountFlags {
            var asked = MountOptions(form: form)
            var live = MountOptions(form: .engine)
            try asked.apply(FileName(words))
            try asked.finish()
            try live.apply(FileName(made))
            try live.finish()
            return try RemountRequest(asked, live: live, present: present, shown: ["allow_other"], resolve: { $0 })
                .flags
        }
        let layers = "lowerdir=/a:/b,upperdir=/u,workdir=/w"
        let kernels = "user_id=0,group_id=0,allow_other,max_read=1048576"
        #expect(
            try request("rw,nodev,noatime,remount,ro,\(kernels)", layers, [.noDev, .noAccessTime]) == [
                .noDev, .noAccessTime, .readOnly,
            ])
        // `exec` does not arrive: what is not named is not to be, but for what was never mount(8)'s.
        #expect(
            try request("rw,noatime,remount,\(kernels)", layers, [.noDev, .noExec, .noAccessTime]) == [
                .noDev, .noAccessTime,
            ])
        #expect(try request("rw,noatime,remount,relatime", layers, [.noAccessTime]) == [.relativeAccessTime])
        #expect(try request("rw,remount,nosuid", layers, [.strictAccessTime]) == [.strictAccessTime, .noSuid])
        #expect(
            try request("remount,noatime", layers, [.noExec, .relativeAccessTime], .strict) == [.noExec, .noAccessTime])
        #expect(
            try request("\(layers),remount,redirect_dir=off,index=auto", layers, [.noAccessTime]) == [.noAccessTime])
        for other in [
            "lowerdir=/a", "lowerdir=/b:/a", "upperdir=/v", "workdir=/x", "metacopy=on", "redirect_dir=on", "index=on",
            "index=off", "xino=off", "volatile", "userxattr", "whiteouts=oci", "noacl",
            "noxattrs", "nfs_export=on", "verity=on", "uuid=off", "static_nlink", "coherent", "guardian=off",
            "writeback=on", "transport=dev", "timeout=1", "threads=2",
            "squash_to_root", "squash_to_uid=1", "squash_to_gid=1", "uidmapping=0:1:1", "gidmapping=0:1:1",
            "xattr_permissions=1", "default_permissions", "fsname=x",
        ] {
            #expect(throws: OptionError.self, "\(other)") { try request("remount,\(other)", layers, []) }
        }
    }

    @Test func readOnlyNeedsNoWork() throws {
        let o = try parsed(.engine, "lowerdir=a,upperdir=u,ro")
        #expect(o.upper == "u" && o.work == nil && o.isReadOnly)
        #expect(try parsed(.engine, "lowerdir=a,workdir=w,volatile").notes.count == 2)
    }
}
