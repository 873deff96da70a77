internal import LinuxSys
/// placeholder until helper
enum WireFormat {
    static func putDirent(_ b: MutableBytes, _ name: NameRef, ino: UInt64, kind: FileKind, next: UInt64) {}
    static func putEntry(_ b: MutableBytes, _ entry: Entry) {}
}
