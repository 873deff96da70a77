import LinuxSys
import Testing

@testable import MountState

struct RecordTests {
    @Test func everythingComesBack() {
        var record = MountRecord(mountpoint: "/mnt with blank\nand line")
        record.lower = [FileName(bytes: [0x2f, 0xff, 0x25, 0x3d]), "/b"]
        record.dataLower = ["/data"]
        record.upper = "/u"
        record.work = "/w"
        record.options = "lowerdir=/a\\:b,ro"
        record.readOnly = true
        record.byEngine = true
        record.pid = 4711
        record.start = 1_700_000_000
        record.version = "1.2 3"
        record.device = "0:57"
        record.upperIdentity = "1:2"
        record.workIdentity = "3:4"
        #expect(MountRecord(text: record.text) == record)
        #expect(record.text.filter { $0 == 0x0a }.count == 15)
    }

    @Test func strangeRecords() {
        #expect(MountRecord(text: []) == nil)
        #expect(MountRecord(text: Array("nonsense\n=\n\nmountpoint=".utf8)) == nil)
        let record = MountRecord(text: Array("future=1\nmountpoint=/m%2\npid=x\nlower=%zz%41\n".utf8))
        #expect(record?.mountpoint == "/m%2" && record?.pid == 0 && record?.lower == ["%zzA"])
    }

    @Test func mountTable() throws {
        let text = """
            22 27 0:21 / /proc rw,relatime - proc proc rw
            48 27 0:39 / /var/my\\040mount rw,noatime shared:5 master:1 - fuse.unionfsd a\\134b rw,user_id=0
            49 48 0:40 / /var/my\\040mount rw - ext4 /dev/vda rw
            short line
            """
        let table = MountTable(text: Array(text.utf8))
        #expect(table.entries.count == 3)
        #expect(
            table.entries[1].mountpoint == "/var/my mount" && table.entries[1].source == "a\\b"
                && table.entries[1].isFuse)
        #expect(MountTable.top(at: "/var/my mount", in: Array(text.utf8))?.type == "ext4")
        #expect(
            MountTable.top(at: "/proc", in: Array(text.utf8))?.id == 22
                && MountTable.top(at: "/var/my", in: Array(text.utf8)) == nil)
        #expect(MountTable.top(at: "/a\\b\tc", in: Array("1 2 0:3 / /a\\134b\\011c rw - ext4 x rw".utf8))?.id == 1)
        #expect(table.has(device: "0:39", mountpoint: nil) && !table.has(device: "0:40", mountpoint: nil))
        #expect(!table.has(device: "0:39", mountpoint: "/elsewhere"))
        #expect(try !MountTable().entries.isEmpty)
        let (path, id) = try MountTable.resolve("/proc/../proc/self/..")
        #expect(path == "/proc" && id != nil)
    }
}
