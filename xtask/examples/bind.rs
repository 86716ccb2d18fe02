fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (wasm, out) = (args.next().unwrap(), args.next().unwrap());
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_bytes("adversight_cpu", std::fs::read(wasm)?).web(true)?.typescript(true);
    bindgen.generate(out)
}
