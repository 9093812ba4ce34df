// A slider over two pictures: .compare holds the picture, an .under to reveal from the left, an .edge and a range.
for (const box of document.querySelectorAll(".compare"))
  box.querySelector("input").oninput = event => box.style.setProperty("--at", event.target.value + "%");
