import CTrajpack
import TrajpackCInterface
import TrajpackFormat
import TrajpackLoader
import TrajpackStore

/// The tables of options, by what they are options of.
private let tables: [(name: String, schema: @Sendable () -> JSONValue)] = [
  ("loader", { LoaderOptions.table.schema(defaults: LoaderOptions()) }),
  ("statistics", { StatisticsRequest.table.schema(defaults: StatisticsRequest()) }),
  ("split", { SplitRequest.table.schema(defaults: SplitRequest()) }),
  ("frames", { FrameOptions.table.schema(defaults: FrameOptions()) }),
  ("writer", { DatasetAppender.Options.table.schema(defaults: DatasetAppender.Options()) }),
]

/// `trajpack.h` says what it does.
@c @implementation
public func tp_options_schema(
  _ of: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<tp_error>?
) -> Int32 {
  CInterface.document(json, "json", error) { () throws(TrajpackError) in
    let name = try CInterface.string(of, "of")
    guard let table = tables.first(where: { $0.name == name }) else {
      throw TrajpackError(
        .usage,
        "there are no options of '\(name)'" + Suggestion.text(for: name, among: tables.map(\.name)))
    }
    return table.schema()
  }
}
