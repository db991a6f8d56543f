// What is bundled with each version of React: the hook, and how that version renders.
import * as React from 'react';
import * as ReactDOM from 'react-dom';
import { renderToString } from 'react-dom/server';
import { useResilientSSE } from '../../dist/react.js';
import { openStream } from '../../dist/index.js';

export { React, openStream, renderToString, useResilientSSE };
export const makeRoot = (element, client) => {
  if (client) return client.createRoot(element);
  return { render: (tree) => ReactDOM.render(tree, element), unmount: () => ReactDOM.unmountComponentAtNode(element) };
};
