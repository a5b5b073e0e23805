// The page of a comparison: figures, and nothing to explore.
const canExplore = () => false;
byId("picked").querySelector(".clear").addEventListener("click", () => put({ pick: "" }));
parse();
document.documentElement.classList.add("live");
for (const node of all("figure[data-figure]")) mount(node);
highlight();
