/// Whether this process has the machine's own user ids: in a user namespace nobody makes devices or sets `trusted.`
/// attributes.
let isInInitialUserNamespace: Bool = {
    let file = Sys.open("/proc/self/uid_map", 0)
    guard file >= 0 else { return true }
    defer { Sys.close(Int32(file)) }
    let text = Sys.read(Int32(file), 4096).1
    let fields = text.split { $0 == 0x20 || $0 == 0x0a }
    return fields.count == 3 && fields[2].elementsEqual("4294967295".utf8)
}()
