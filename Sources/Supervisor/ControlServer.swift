internal import CShims
internal import Foundation
internal import LinuxSys
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// HTTP/1.1 on a unix socket. Who connects must be the store's owner or root; what is asked is done on threads of their
/// own, as it may take long.
final class ControlServer: Sendable {
    struct Request: Sendable {
        let method: HTTPMethod
        /// Without the query.
        let path: [String]
        let query: [String: String]
        let body: [UInt8]
    }
    struct Response: Sendable {
        var status = HTTPResponseStatus.ok
        var type = "application/json"
        var body: [UInt8] = []
    }
    typealias Handler = @Sendable (Request) -> Response

    private let channel: any Channel
    private let pool: NIOThreadPool

    init(path: String, handler: @escaping Handler) throws {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        self.pool = pool
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 128)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PeerCheck())
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Exchange(pool, handler))
                }
            }
            .bind(unixDomainSocketPath: path).wait()
    }

    /// No new ones; those that are under way are answered.
    func close() {
        try? channel.close().wait()
        try? pool.syncShutdownGracefully()
    }
}

/// The first handler of a connection: the kernel says who is at the other end (unix(7), SO_PEERCRED), and strangers are
/// hung up on.
private final class PeerCheck: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var isTrusted = false
    private var early: [NIOAny] = []

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        guard let provider = context.channel as? any SocketOptionProvider else {
            context.close(promise: nil)
            return
        }
        let credentials: EventLoopFuture<cs_credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: .init(rawValue: CInt(CS_PEER_CREDENTIALS)))
        credentials.whenComplete { result in
            let (handler, context) = bound.value
            guard case .success(let peer) = result, peer.uid == 0 || peer.uid == LinuxSys.Process.effectiveUser else {
                context.close(promise: nil)
                return
            }
            handler.isTrusted = true
            for data in handler.early { context.fireChannelRead(data) }
            handler.early = []
            context.fireChannelReadComplete()
        }
        context.fireChannelActive()
    }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isTrusted {
            context.fireChannelRead(data)
        } else if early.count < 64 {
            early.append(data)
        } else {
            context.close(promise: nil)
        }
    }
}

/// One connection's requests, one after the other.
private final class Exchange: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let pool: NIOThreadPool
    private let handler: ControlServer.Handler
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private static let mostBody = 1 << 20

    init(_ pool: NIOThreadPool, _ handler: @escaping ControlServer.Handler) {
        self.pool = pool
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let part):
            if head == nil { return }
            if body.count + part.readableBytes > Self.mostBody {
                head = nil
                var response = ControlServer.Response(status: .payloadTooLarge)
                response.body = Array(#"{"error":"the request's body is too long","kind":"invalid"}"#.utf8)
                return write(response, keepAlive: false, context)
            }
            body += part.readableBytesView
        case .end:
            guard let head else { return }
            self.head = nil
            let components = URLComponents(string: head.uri)
            var query: [String: String] = [:]
            for item in components?.queryItems ?? [] { query[item.name] = item.value ?? "" }
            let path = (components?.percentEncodedPath ?? head.uri).split(separator: "/").map {
                $0.removingPercentEncoding ?? String($0)
            }
            let request = ControlServer.Request(method: head.method, path: path, query: query, body: body)
            let handler = handler
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            pool.runIfActive(eventLoop: context.eventLoop) { handler(request) }.whenComplete { result in
                let (exchange, context) = bound.value
                if case .success(let response) = result {
                    exchange.write(response, keepAlive: head.isKeepAlive, context)
                } else {
                    context.close(promise: nil)
                }
            }
        }
    }

    private func write(_ response: ControlServer.Response, keepAlive: Bool, _ context: ChannelHandlerContext) {
        var headers: HTTPHeaders = ["content-type": response.type, "content-length": "\(response.body.count)"]
        if !keepAlive { headers.add(name: "connection", value: "close") }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: response.status, headers: headers))),
            promise: nil)
        if !response.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        }
        let done = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
        if !keepAlive {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            done.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
